"""Findings as they are shown: everything a person reads, copied from the manifest at that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ennead.codes import Code
from ennead.findings import Finding, Measurement
from ennead.plugins import Manifest
from ennead_pipelines.run.requests import FindingSummary, JobOutput, SegmentSummary


def finding_document(
    summary: FindingSummary, output: JobOutput, manifest: Manifest
) -> dict[str, Any]:
    """JSON of one finding, in every language the manifest speaks."""
    finding = summary.finding
    segments = {segment.id: segment for segment in output.segments}
    used = [segments[s] for s in finding.segment_ids if s in segments]
    return {
        "finding": finding.id,
        "label": finding.label,
        "title": _title(finding, used, manifest),
        "series_uid": finding.series_uid,
        "key_image": {
            "instance_uid": summary.key_instance_uid or "",
            "series_uid": finding.series_uid,
            "point_mm": list(summary.point_mm),
            "frame_of_reference_uid": summary.frame_of_reference_uid,
        },
        "segments": [_segment(segment, output, manifest) for segment in used],
        "measurements": [_measurement(m, manifest) for m in finding.measurements],
        "qualifiers": [_code(code) for code in finding.qualifiers],
        "codes": {
            "finding": _code(finding.finding),
            "category": _code(finding.category),
            "site": _code(finding.site),
            "laterality": _code(finding.laterality),
        },
        "intended_use": {
            "status": manifest.intended_use.status,
            "text": dict(manifest.intended_use.text),
            "trained_on": manifest.intended_use.trained_on,
        },
    }


def _title(
    finding: Finding, segments: Sequence[SegmentSummary], manifest: Manifest
) -> Mapping[str, str]:
    """The manifest's title of the finding, or of the one segment it is about."""
    for name in (finding.id, finding.id.replace("-", "_")):
        rule = manifest.output_rule(name)
        if rule is not None:
            return dict(rule.title)
    if len(segments) == 1:
        rule = manifest.output_rule(segments[0].id)
        if rule is not None:
            return dict(rule.title)
    return {"en": finding.label}


def _segment(segment: SegmentSummary, output: JobOutput, manifest: Manifest) -> dict[str, Any]:
    rule = manifest.output_rule(segment.id)
    return {
        "id": segment.id,
        "number": segment.number,
        "title": dict(rule.title) if rule else {"en": segment.label},
        "colour": list(segment.colour_rgb),
        "seg_instance_uid": output.seg_instance_uid,
        "seg_series_uid": output.seg_series_uid,
    }


def _measurement(measurement: Measurement, manifest: Manifest) -> dict[str, Any]:
    rule = manifest.output_rule(measurement.id)
    plausible = rule.plausible if rule else None
    return {
        "id": measurement.id,
        "title": dict(rule.title) if rule else {"en": measurement.concept.meaning},
        "value": measurement.value,
        "unit": measurement.unit.value,
        "decimals": rule.decimals if rule else 2,
        "method": rule.method if rule else "",
        "formula": measurement.formula or (rule.method if rule else ""),
        "reference": rule.reference if rule else "",
        "plausible": list(plausible) if plausible else None,
        "concept": _code(measurement.concept),
    }


def _code(code: Code | None) -> dict[str, str] | None:
    if code is None:
        return None
    return {"code": code.value, "scheme": code.scheme, "meaning": code.meaning}
