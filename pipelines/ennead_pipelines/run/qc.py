"""The quality checks of a manifest (``[qc]``), applied to what the package measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ennead.codes import private
from ennead.findings import Finding, Measurement, Refusal, RefusalCode, Result
from ennead.plugins import Manifest
from ennead.plugins.qc import QualityCheck

_CHECK = private("check-wanted")


def quality_checked(results: Iterable[Result], manifest: Manifest) -> list[Result]:
    """The results with findings marked for a look, and refused values taken away.

    A finding that loses its only content is dropped; each value taken away leaves a refusal.
    """
    results = list(results)
    if not manifest.qc:
        return results
    broken: dict[str, tuple[QualityCheck, Measurement, Finding]] = {}
    for finding in (r for r in results if isinstance(r, Finding)):
        for measurement in finding.measurements:
            check = manifest.qc.get(measurement.id)
            if check is not None and not check.holds(measurement.value):
                broken[measurement.id] = (check, measurement, finding)
    taken = {
        output
        for name, (check, _, _) in broken.items()
        if check.otherwise == "refuse"
        for output in (check.outputs or [name])
    }
    marked = {f.id for check, _, f in broken.values() if check.otherwise == "review"}
    kept: list[Result] = []
    for result in results:
        if isinstance(result, Finding):
            changed = _changed(result, taken, marked)
            kept += [changed] if changed else []
        else:
            kept.append(result)
    return kept + _refusals(broken)


def _changed(finding: Finding, taken: set[str], marked: set[str]) -> Finding | None:
    left = tuple(m for m in finding.measurements if m.id not in taken)
    if finding.measurements and not left and not finding.segment_ids:
        return None
    qualifiers = finding.qualifiers
    if finding.id in marked and _CHECK not in qualifiers:
        qualifiers = (*qualifiers, _CHECK)
    return dataclasses.replace(finding, measurements=left, qualifiers=qualifiers)


def _refusals(
    broken: Mapping[str, tuple[QualityCheck, Measurement, Finding]],
) -> list[Result]:
    found: list[Result] = []
    for name, (check, measurement, finding) in broken.items():
        if check.otherwise == "refuse":
            values: dict[str, str | int | float] = {"value": round(measurement.value, 6)}
            if check.min is not None:
                values["rule_min"] = check.min
            if check.max is not None:
                values["rule_max"] = check.max
            found += [
                Refusal(RefusalCode.TECHNIQUE, output, check.text, values, finding.series_uid)
                for output in (check.outputs or [name])
            ]
    return found
