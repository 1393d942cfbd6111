"""One job inside a Ray worker: run the package, check it, encode what it said.

Reads volumes from the object store and the headers of their source files. Writes nothing: the
bytes go back to the worker process. Refuses whatever the package refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from ennead.contracts import Anatomy, ModelAnswer, ProgressSink, RunContext, Volume
from ennead.findings import Result
from ennead_pipelines.encode import EncodedResults, ResultIdentity, SourceSeries, encode
from ennead_pipelines.encode.header import AlgorithmType
from ennead_pipelines.networks.answer import parameters, recorded
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.run.check import checked, without_declined
from ennead_pipelines.run.limits import Overrun
from ennead_pipelines.run.output import job_output
from ennead_pipelines.run.package import run_package
from ennead_pipelines.run.qc import quality_checked
from ennead_pipelines.run.requests import AnatomyFound, JobOutput, Loaded, MeasureRequest


def measure(
    request: MeasureRequest,
    loaded: Sequence[Loaded],
    progress: ProgressSink,
    on_overrun: Callable[[Overrun], None] | None = None,
    anatomy: Sequence[AnatomyFound] = (),
) -> JobOutput:
    """Run one job on decoded volumes.

    Parameters
    ----------
    on_overrun : callable, optional
        See :func:`~ennead_pipelines.run.package.run_package`.
    anatomy : sequence of AnatomyFound
        In the order of ``request.anatomy``.

    Raises
    ------
    ContractError
        The package returned what its manifest does not declare.
    EncodedResultInvalid
        The results did not survive being written and read back.
    """
    by_input = dict(zip(request.inputs, loaded, strict=True))
    volumes = {name: each.volume for name, each in by_input.items()}
    begun = time.perf_counter()
    context = RunContext(
        volumes=volumes,
        thresholds=dict(request.thresholds),
        progress=progress,
        declined=frozenset(request.declined),
        models=model_callables(request, progress),
        clinical=request.given.facts,
        anatomy=_by_input(request, anatomy),
        priors=request.given.priors,
    )
    with recorded(request.priority) as asked:
        returned = run_package(request, context, on_overrun)
    raw = checked(returned, request.manifest, volumes, request.given.priors)
    measured = time.perf_counter()
    results = quality_checked(without_declined(raw, request.declined), request.manifest)
    progress(1.0, "jobs.step.encoding")
    given = dict(request.given.parameters())
    encoded = encode_results(
        request, results, by_input, parameters=given | asked_parameters(request, asked)
    )
    done = time.perf_counter()
    durations_s = {
        "load": max(each.duration_s for each in loaded),
        **_anatomy_seconds(request, anatomy),
        "measure": measured - begun,
        "encode": done - measured,
    }
    output = job_output(request, results, encoded, volumes, durations_s)
    own = [f.at for p, f in zip(request.anatomy, anatomy, strict=True) if not p.shared]
    return replace(output, anatomy_at=max(own, default=None))


def _by_input(request: MeasureRequest, found: Sequence[AnatomyFound]) -> dict[str, Anatomy]:
    parts: dict[str, list[tuple[Anatomy, Sequence[str]]]] = {}
    for part, each in zip(request.anatomy, found, strict=True):
        parts.setdefault(part.input, []).append((each.anatomy, part.structures))
    if not parts:
        return {}
    from ennead_pipelines.anatomy.merge import merge

    return {name: merge(several) for name, several in parts.items()}


def _anatomy_seconds(request: MeasureRequest, found: Sequence[AnatomyFound]) -> dict[str, float]:
    """Of what was found for this job; nothing where all of it was there already."""
    own = [f.duration_s for p, f in zip(request.anatomy, found, strict=True) if not p.shared]
    return {"anatomy": sum(own)} if own else {}


def model_callables(
    request: MeasureRequest, progress: ProgressSink
) -> Mapping[str, Callable[[Volume], ModelAnswer]]:
    """``context.models`` of a run: the package's models that are here, by id."""
    if not request.models:
        return {}
    from ennead_pipelines.networks.needs import callables

    return callables(request.models, request.thresholds, progress)


def asked_parameters(
    request: MeasureRequest, asked: Mapping[str, tuple[ModelSource, str]]
) -> dict[str, str]:
    """What the results say about the models that took part."""
    said: dict[str, str] = {}
    for name, (source, precision) in sorted(asked.items()):
        own = request.network is not None and request.network.digest == source.digest
        said |= parameters(source, precision, "" if own else f"model.{name}.")
    return said


def encode_results(
    request: MeasureRequest,
    results: Sequence[Result],
    loaded: Mapping[str, Loaded],
    *,
    algorithm_type: AlgorithmType = "AUTOMATIC",
    parameters: Mapping[str, str] | None = None,
) -> EncodedResults:
    """Checked results as DICOM objects.

    Parameters
    ----------
    loaded : mapping
        Manifest input name → decoded series.
    parameters : mapping, optional
        What the run was set to besides its thresholds.

    Raises
    ------
    EncodedResultInvalid
        The results did not survive being written and read back.
    """
    sources = {
        each.volume.series_uid: SourceSeries(_headers(each.paths), each.volume.grid)
        for each in loaded.values()
    }
    return encode(
        results,
        manifest=request.manifest,
        identity=result_identity(request),
        sources=sources,
        organisation=request.organisation,
        seg_encoding=request.seg_encoding,
        parameters={
            **(parameters or {}),
            **{f"threshold.{k}": f"{v:g}" for k, v in request.thresholds.items()},
        },
        at=request.at,
        algorithm_type=algorithm_type,
    )


def result_identity(request: MeasureRequest) -> ResultIdentity:
    """What the results' UIDs derive from."""
    return ResultIdentity(
        study_uid=request.study_uid,
        package_id=request.manifest.id,
        package_version=request.manifest.version,
        manifest_digest=request.manifest_digest,
        input_digest=request.input_digest,
        parameters_digest=request.parameters_digest,
    )


def _headers(paths: Sequence[str]) -> tuple[Dataset, ...]:
    return tuple(dcmread(Path(path), stop_before_pixels=True) for path in paths)
