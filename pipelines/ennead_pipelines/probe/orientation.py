"""Do the pixels lie as the header says? Spine, table, and the order of chest and abdomen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ennead import headers
from ennead_pipelines.probe.answer import Answer
from ennead_pipelines.probe.body_part import believed, part_of
from ennead_pipelines.probe.features import SliceFeatures
from ennead_pipelines.probe.sample import Sample

_POSITION: Final = "00185100"
#: The spine lies at least this far behind the middle of a trunk.
SPINE_MM: Final = 20.0
#: Table: a thing outside the body, as wide as this in a slice.
TABLE_MM: Final = 150.0


def orientation(sample: Sample) -> Answer:
    """``agrees``, ``disagrees`` or ``unknown``.

    Three signs: the spine lies at the patient's back; the table lies behind a patient who is said
    to be supine and in front of one who is said to be prone; the chest lies above abdomen and
    pelvis. Any against the header is ``disagrees``. A mirror image of right and left shows none of
    them and is not found.
    """
    if sample.modality != "CT" or not sample.axial:
        return Answer.unknown()
    slices = sample.slices
    parts = believed([part_of(each) for each in slices])
    numbers: dict[str, float | str] = {}
    signs: list[bool] = []
    behind = _spine_behind_mm(slices, parts)
    if behind is not None:
        numbers["spine_behind_mm"] = round(behind, 1)
        if abs(behind) >= SPINE_MM:
            signs.append(behind > 0)
    table = _table_behind_mm(slices)
    said = headers.text(sample.attributes, _POSITION).upper()
    if table is not None:
        numbers["table_behind_mm"] = round(table, 1)
        if said.endswith(("S", "P")):
            numbers["position"] = said
            signs.append((table > 0) == said.endswith("S"))
    heights = {name: [k for k, p in enumerate(parts) if p == name] for name in set(parts)}
    lower = heights.get("abdomen", []) + heights.get("pelvis", [])
    if heights.get("chest") and lower:
        above = float(np.mean(heights["chest"]) - np.mean(lower)) * sample.spacing_mm[0]
        numbers["chest_above_mm"] = round(above, 1)
        signs.append(above > 0)
    if not signs:
        return Answer.unknown(**numbers)
    return Answer(("agrees" if all(signs) else "disagrees",), numbers)


def _spine_behind_mm(slices: Sequence[SliceFeatures], parts: list[str]) -> float | None:
    """Median distance of the spine behind the middle of the body, over slices of the trunk."""
    found = []
    for each, part in zip(slices, parts, strict=True):
        if part in ("chest", "abdomen") and each.spine is not None and each.at_edge <= 0.25:
            rows = np.flatnonzero(each.body.any(axis=1))
            middle = (float(rows[0]) + float(rows[-1])) / 2
            found.append((each.spine[0] - middle) * each.pixel_mm[0])
    return float(np.median(found)) if found else None


def _table_behind_mm(slices: Sequence[SliceFeatures]) -> float | None:
    """How far the middle of wide things outside the body lies behind the body's; None without."""
    found = []
    for each in slices:
        if not each.parts or each.at_edge > 0.25:
            continue
        outside = (each.hu > -700) & ~each.body
        wide = outside.sum(axis=1) * each.pixel_mm[1] >= TABLE_MM
        rows = np.flatnonzero(each.body.any(axis=1))
        beyond = np.flatnonzero(wide)
        beyond = beyond[(beyond > rows[-1]) | (beyond < rows[0])]
        if beyond.size:
            middle = (float(rows[0]) + float(rows[-1])) / 2
            found.append((float(beyond.mean()) - middle) * each.pixel_mm[0])
    return float(np.median(found)) if len(found) >= len(slices) / 2 else None
