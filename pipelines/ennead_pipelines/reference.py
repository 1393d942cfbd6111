"""A package's reference cases: the phantom goes the whole way but for Ray and the archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ennead.contracts import RunContext
from ennead.errors import ContractError
from ennead.findings import Finding, Result
from ennead.identifiers import StudyUID
from ennead.plugins import Manifest, load_pipeline
from ennead.plugins.manifest import ReferenceCase
from ennead.texts import translate
from ennead_pipelines.anatomy import DEFAULT, find
from ennead_pipelines.run.check import checked, without_declined
from ennead_pipelines.run.inputs import load_request
from ennead_pipelines.run.load import load
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
        measured = _measured(manifest, case, plan, anatomy)
        for output, expected in case.expect.items():
            yield Comparison(
                case.input, output, expected.value, expected.tolerance, measured.get(output)
            )


def _measured(
    manifest: Manifest, case: ReferenceCase, plan: SandboxPlan | None, anatomy: Sequence[str]
) -> dict[str, float]:
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
        volumes = {
            name: load(
                load_request(
                    StudyUID(candidate.record.study_uid),
                    chosen.candidate,
                    chosen.stack,
                    lambda uid: by_uid[uid],
                    2**31,
                )
            ).volume
            for name, chosen in selection.inputs.items()
        }
    declined = frozenset(r.subject for r in selection.refusals)
    thresholds = {t.id: t.default for t in manifest.threshold}
    context = RunContext(
        volumes=volumes,
        thresholds=thresholds,
        declined=declined,
        anatomy={
            rule.name: find(volumes[rule.name], rule.anatomy, anatomy)
            for rule in manifest.series_inputs
            if rule.anatomy and rule.name in volumes
        },
    )
    results = checked(_results(manifest, context, plan), manifest, volumes)
    return {
        measurement.id: measurement.value
        for result in without_declined(results, declined)
        if isinstance(result, Finding)
        for measurement in result.measurements
    }


def _results(manifest: Manifest, context: RunContext, plan: SandboxPlan | None) -> Iterable[Result]:
    if plan is None:
        return load_pipeline(manifest).run(context)
    try:
        return run_apart(plan, manifest, manifest.pipeline, context)
    except Stopped as stopped:
        reason = translate(f"sandbox.reason.{stopped.kind}", "en", {**stopped.values, "job": "–"})
        said = reason if stopped.kind in FINAL else str(stopped)
        raise ContractError(f"Package {manifest.id!r} was stopped: {said}") from stopped
