"""Whether an organ is whole, and every slice an image of its own."""

from __future__ import annotations

from collections.abc import Sequence

from ennead_pipelines.probe.answer import UNKNOWN, Answer
from ennead_pipelines.probe.body_part import believed, part_of
from ennead_pipelines.probe.features import SliceFeatures
from ennead_pipelines.probe.sample import Sample

#: This much of the organ in an end slice is a cut through it, not its tip.
LUNG_END_CM2 = 8.0
HEAD_END_CM2 = 25.0


def completeness(sample: Sample, organ: str = "") -> Answer:
    """``blank_slices`` and ``repeated_slices`` for any series; ``cut`` or ``whole`` for an organ.

    Parameters
    ----------
    organ : str
        ``lungs``: neither end may cut them. ``head``: the upper end must lie above the vertex.
        "" judges the slices alone. Gaps and missing slices are found by geometry, not here.
    """
    blank = int((sample.lowest == sample.highest).sum())
    distinct = len(set(sample.signatures))
    numbers: dict[str, float | str] = {"slices_seen": len(sample.signatures)}
    if blank:
        return Answer(("blank_slices",), numbers | {"blank_slices": blank})
    if distinct < len(sample.signatures):
        repeated = len(sample.signatures) - distinct
        return Answer(("repeated_slices",), numbers | {"repeated_slices": repeated})
    if not organ:
        return Answer(("whole",), numbers)
    if sample.modality != "CT" or not sample.axial:
        return Answer((UNKNOWN,), numbers)
    slices = sample.slices
    found = _lungs(slices) if organ == "lungs" else _head(slices)
    return Answer(found.values, numbers | dict(found.numbers))


def _lungs(slices: Sequence[SliceFeatures]) -> Answer:
    bottom, top = slices[0].lung_cm2, slices[-1].lung_cm2
    numbers: dict[str, float | str] = {
        "lung_bottom_cm2": round(bottom, 1),
        "lung_top_cm2": round(top, 1),
        "lung_largest_cm2": round(max(each.lung_cm2 for each in slices), 1),
    }
    if "chest" not in believed([part_of(each) for each in slices]):
        return Answer.unknown(**numbers)
    cut = bottom >= LUNG_END_CM2 or top >= LUNG_END_CM2
    return Answer(("cut" if cut else "whole",), numbers)


def _head(slices: Sequence[SliceFeatures]) -> Answer:
    top = slices[-1].area_cm2(slices[-1].body)
    numbers: dict[str, float | str] = {"top_cm2": round(top, 1)}
    if "head" not in believed([part_of(each) for each in slices]):
        return Answer.unknown(**numbers)
    return Answer(("cut" if top >= HEAD_END_CM2 else "whole",), numbers)
