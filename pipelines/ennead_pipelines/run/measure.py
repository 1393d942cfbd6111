"""One job inside a Ray worker: run the package, check it, encode what it said.

Reads volumes from the object store and the headers of their source files. Writes nothing: the
bytes go back to the worker process. Refuses whatever the package refuses.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from ennead.contracts import ProgressSink, RunContext, Volume
from ennead.findings import Finding, Refusal, Result, Segment
from ennead.identifiers import InstanceUID
from ennead.plugins import load_pipeline
from ennead_pipelines.encode import EncodedResults, ResultIdentity, SourceSeries, encode
from ennead_pipelines.run.check import checked, without_declined
from ennead_pipelines.run.requests import (
    FindingSummary,
    JobOutput,
    Loaded,
    MeasureRequest,
    SegmentSummary,
)


def measure(request: MeasureRequest, loaded: Sequence[Loaded], progress: ProgressSink) -> JobOutput:
    """Run one job on decoded volumes.

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
    _forget_other_versions(request)
    pipeline = load_pipeline(request.manifest)
    context = RunContext(
        volumes=volumes,
        thresholds=dict(request.thresholds),
        progress=progress,
        declined=frozenset(request.declined),
    )
    raw = checked(pipeline.run(context), request.manifest, volumes)
    measured = time.perf_counter()
    results = without_declined(raw, request.declined)
    progress(1.0, "jobs.step.encoding")
    encoded = _encode(request, results, by_input)
    done = time.perf_counter()
    durations_s = {
        "load": max(each.duration_s for each in loaded),
        "measure": measured - begun,
        "encode": done - measured,
    }
    return _output(request, results, encoded, volumes, durations_s)


#: Manifest digest of each package whose code this process has imported.
_imported: dict[str, str] = {}


def _forget_other_versions(request: MeasureRequest) -> None:
    """A package that was replaced while this process lived is imported afresh."""
    manifest = request.manifest
    if _imported.get(manifest.id, request.manifest_digest) != request.manifest_digest:
        top = manifest.pipeline.partition(":")[0].partition(".")[0]
        for name in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
            del sys.modules[name]
    importlib.invalidate_caches()
    _imported[manifest.id] = request.manifest_digest


def _encode(
    request: MeasureRequest, results: list[Result], loaded: Mapping[str, Loaded]
) -> EncodedResults:
    identity = ResultIdentity(
        study_uid=request.study_uid,
        package_id=request.manifest.id,
        package_version=request.manifest.version,
        manifest_digest=request.manifest_digest,
        input_digest=request.input_digest,
        parameters_digest=request.parameters_digest,
    )
    sources = {
        each.volume.series_uid: SourceSeries(_headers(each.paths), each.volume.grid)
        for each in loaded.values()
    }
    return encode(
        results,
        manifest=request.manifest,
        identity=identity,
        sources=sources,
        organisation=request.organisation,
        seg_encoding=request.seg_encoding,
        parameters={f"threshold.{k}": f"{v:g}" for k, v in request.thresholds.items()},
        at=request.at,
    )


def _headers(paths: Sequence[str]) -> tuple[Dataset, ...]:
    return tuple(dcmread(Path(path), stop_before_pixels=True) for path in paths)


def _output(
    request: MeasureRequest,
    results: Sequence[Result],
    encoded: EncodedResults,
    volumes: Mapping[str, Volume],
    durations_s: Mapping[str, float],
) -> JobOutput:
    segments = {r.id: r for r in results if isinstance(r, Segment)}
    found = [r for r in results if isinstance(r, Finding)]
    return JobOutput(
        seg=encoded.seg,
        seg_instance_uid=encoded.seg_instance_uid or "",
        seg_series_uid=encoded.seg_series_uid or "",
        sr=encoded.sr,
        sr_instance_uid=encoded.sr_instance_uid or "",
        sr_series_uid=encoded.sr_series_uid or "",
        content_digest=encoded.content_digest,
        findings=tuple(_summary(f, encoded, segments, volumes) for f in found),
        segments=tuple(
            SegmentSummary(s.id, s.label, encoded.segment_numbers[s.id], s.colour_rgb, s.series_uid)
            for s in segments.values()
        ),
        refusals=tuple(r for r in results if isinstance(r, Refusal)),
        slices=sum(volume.grid.shape[0] for volume in volumes.values()),
        shared=request.shared,
        durations_s=dict(durations_s),
    )


def _summary(
    finding: Finding,
    encoded: EncodedResults,
    segments: Mapping[str, Segment],
    volumes: Mapping[str, Volume],
) -> FindingSummary:
    volume = next(v for v in volumes.values() if v.series_uid == finding.series_uid)
    segment = next((segments[s] for s in finding.segment_ids if s in segments), None)
    key = encoded.key_images.get(finding.id) or finding.key_instance_uid
    uids = volume.instance_uids
    slice_index = uids.index(key) if key in uids else len(uids) // 2
    return FindingSummary(
        finding,
        encoded.tracking_uids[finding.id],
        InstanceUID(uids[slice_index]),
        _point(volume, segment, slice_index),
    )


def _point(volume: Volume, segment: Segment | None, slice_index: int) -> tuple[float, float, float]:
    """LPS mm to jump to: the segment's centre on its key slice, else the slice's centre."""
    rows, columns = volume.grid.shape[1:]
    index = np.array([slice_index, (rows - 1) / 2, (columns - 1) / 2])
    if segment is not None and segment.mask[slice_index].any():
        inside = np.argwhere(segment.mask[slice_index])
        centre = inside.mean(axis=0)
        # The voxel of the region nearest to its centre: a hollow region has none in the middle.
        nearest = inside[np.argmin(((inside - centre) ** 2).sum(axis=1))]
        index = np.array([slice_index, *nearest])
    point = volume.grid.to_patient(index)
    return (float(point[0]), float(point[1]), float(point[2]))
