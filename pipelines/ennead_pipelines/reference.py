"""A package's reference cases: the phantom goes the whole way but for Ray and the archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ennead.contracts import RunContext
from ennead.errors import ContractError
from ennead.findings import Finding, Refusal, Result
from ennead.identifiers import StudyUID
from ennead.plugins import Manifest, load_pipeline
from ennead.plugins.manifest import ReferenceCase
from ennead.texts import translate
from ennead_pipelines.anatomy import DEFAULT, find
from ennead_pipelines.given.header_facts import header_facts
from ennead_pipelines.probe.rules import broken
from ennead_pipelines.probe.sample import read_sample
from ennead_pipelines.run.check import checked, without_declined
from ennead_pipelines.run.inputs import load_request
from ennead_pipelines.run.load import load
from ennead_pipelines.run.qc import quality_checked
from ennead_pipelines.run.requests import LoadRequest
from ennead_pipelines.sandbox import SandboxPlan, Stopped, run_apart
from ennead_pipelines.sandbox.faults import FINAL
from ennead_pipelines.select import match
from ennead_pipelines.select.files import candidate_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """One expected value and what came; ``got`` is None when the package did not say it."""

    case: str
    output: str
    expected: float
    tolerance: float
    got: float | None

    @property
    def passed(self) -> bool:
        """Whether it reproduces."""
        return self.got is not None and abs(self.got - self.expected) <= self.tolerance


def reproduce(
    manifest: Manifest, plan: SandboxPlan | None = None, anatomy: Sequence[str] = DEFAULT
) -> Iterator[Comparison]:
    """Run every reference case of a package.

    Parameters
    ----------
    plan : SandboxPlan, optional
        How to run it apart; without one it runs in this process.
    anatomy : sequence of str
        The setting ``pipelines.anatomy``.

    Raises
    ------
    ContractError
        The package declines its own phantom, or breaks its manifest.
    """
    for case in manifest.test:
        results = run_case(manifest, case_context(manifest, case, anatomy), plan)
        yield from compare(case, results)


def compare(case: ReferenceCase, results: Iterable[Result]) -> Iterator[Comparison]:
    """What a case expects beside what came."""
    measured = {
        measurement.id: measurement.value
        for result in results
        if isinstance(result, Finding)
        for measurement in result.measurements
    }
    for output, expected in case.expect.items():
        got = measured.get(output)
        yield Comparison(case.input, output, expected.value, expected.tolerance, got)


def run_case(manifest: Manifest, context: RunContext, plan: SandboxPlan | None) -> list[Result]:
    """Checked results, without what was declined before the run.

    Raises
    ------
    ContractError
        The package breaks its manifest, or was stopped.
    """
    results = checked(_results(manifest, context, plan), manifest, context.volumes)
    return quality_checked(without_declined(results, context.declined), manifest)


def case_context(
    manifest: Manifest, case: ReferenceCase, anatomy: Sequence[str] = DEFAULT
) -> RunContext:
    """What the package is given for a reference case: its phantom, written as DICOM and read back.

    Facts are those of the phantom's header; there are no priors.

    Raises
    ------
    ContractError
        The package declines its own phantom.
    """
    from ennead.testing.dicomize import write_series
    from ennead.testing.phantoms import named_phantom

    phantom = named_phantom(case.input.removeprefix("phantom:"))
    with tempfile.TemporaryDirectory(prefix="ennead-check-") as folder:
        paths = write_series(phantom.values, phantom.grid, Path(folder), **phantom.attributes)
        candidate, by_uid = candidate_of(paths)
        selection = match(manifest, [candidate])
        if not selection.runnable:
            reasons = "; ".join(translate(r.text_key, "en", r.values) for r in selection.refusals)
            raise ContractError(
                f"Package {manifest.id!r} declines its own reference case {case.input}: {reasons}"
            )
        requests = {
            name: load_request(
                StudyUID(candidate.record.study_uid),
                chosen.candidate,
                chosen.stack,
                by_uid,
                2**31,
            )
            for name, chosen in selection.inputs.items()
        }
        refused = [*selection.refusals, *_probed(manifest, case, requests)]
        volumes = {name: load(request).volume for name, request in requests.items()}
    wanted = {*manifest.clinical.requires, *manifest.clinical.uses}
    return RunContext(
        volumes=volumes,
        thresholds={t.id: t.default for t in manifest.threshold},
        declined=frozenset(r.subject for r in refused),
        clinical=[f for f in header_facts(candidate.headers[0]) if f.name in wanted],
        anatomy={
            rule.name: find(volumes[rule.name], rule.anatomy, anatomy)
            for rule in manifest.series_inputs
            if rule.anatomy and rule.name in volumes
        },
    )


def _probed(
    manifest: Manifest, case: ReferenceCase, requests: Mapping[str, LoadRequest]
) -> list[Refusal]:
    """Outputs that the manifest's probes decline."""
    found: list[Refusal] = []
    for rule in manifest.series_inputs:
        if rule.probe and rule.name in requests:
            request = requests[rule.name]
            found += broken(rule.probe, read_sample(request), request.series_uid)
    whole = [refusal for refusal in found if not refusal.subject]
    if whole:
        raise ContractError(
            f"Package {manifest.id!r} declines its own reference case {case.input} by a probe: "
            f"{whole[0].text_key} {dict(whole[0].values)}"
        )
    return found


def _results(manifest: Manifest, context: RunContext, plan: SandboxPlan | None) -> Iterable[Result]:
    if plan is None:
        return load_pipeline(manifest).run(context)
    try:
        return run_apart(plan, manifest, manifest.pipeline, context)
    except Stopped as stopped:
        reason = translate(f"sandbox.reason.{stopped.kind}", "en", {**stopped.values, "job": "–"})
        said = reason if stopped.kind in FINAL else str(stopped)
        raise ContractError(f"Package {manifest.id!r} was stopped: {said}") from stopped
