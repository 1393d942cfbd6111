"""What two runs must agree on to count as the same result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ennead.codes import Code
from ennead.findings import Finding, Segment
from ennead_pipelines.encode.labels import Labels


def content_digest(
    findings: Sequence[Finding],
    segments: Sequence[Segment],
    labels: Labels | None,
    parameters: Sequence[str],
) -> str:
    """``sha256:…`` of voxels, codes, values and parameters; no date, UID or encoding enters.

    A label map and a BINARY segmentation of the same masks have the same digest.
    """
    digest = hashlib.sha256()
    described = {
        "findings": [_finding(f) for f in findings],
        "segments": [_segment(s) for s in segments],
        "parameters": list(parameters),
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    if labels is not None:
        used = np.flatnonzero(labels.values.reshape(len(labels.values), -1).any(axis=1))
        for k in used:
            digest.update(int(k).to_bytes(4, "big"))
            digest.update(np.ascontiguousarray(labels.values[k]).data)
    else:
        for segment in segments:
            digest.update(np.packbits(segment.mask).data)
    return "sha256:" + digest.hexdigest()


def _code(code: Code | None) -> list[str] | None:
    return None if code is None else [code.value, code.scheme]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "codes": [
            _code(c) for c in (finding.finding, finding.category, finding.site, finding.laterality)
        ],
        "measurements": [
            [m.id, _code(m.concept), float(m.value), _code(m.unit), _code(m.method),
             _code(m.derivation), m.formula]
            for m in finding.measurements
        ],
        "segments": list(finding.segment_ids),
        "qualifiers": [_code(q) for q in finding.qualifiers],
        "urgent": finding.urgent,
    }  # fmt: skip


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "codes": [_code(c) for c in (segment.category, segment.type, segment.laterality)],
        "series": segment.series_uid,
        "origin": [float(v) for v in segment.grid.origin_mm],
        "spacing": [float(v) for v in segment.grid.spacing_mm],
    }
