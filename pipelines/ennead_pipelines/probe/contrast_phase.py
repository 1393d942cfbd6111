"""Contrast phase on CT from the attenuation of blood, kidneys and liver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.contrast import ENHANCED_ABOVE_HU, UNENHANCED_BELOW_HU, blood_hu, said_enhanced
from ennead.findings import Mask
from ennead_pipelines.probe.answer import Answer
from ennead_pipelines.probe.body_part import believed, part_of
from ennead_pipelines.probe.features import SliceFeatures
from ennead_pipelines.probe.sample import Sample

#: From here blood is full of contrast medium that has not spread yet.
ARTERIAL_HU: Final = 200.0
#: Liver after the portal inflow; before it, even in the arterial phase, it stays below.
PORTAL_LIVER_HU: Final = 85.0
ARTERIAL_LIVER_HU: Final = 80.0
#: Kidneys at or above are enhanced; unenhanced ones measure about 30.
ENHANCED_KIDNEY_HU: Final = 90.0
PLAIN_KIDNEY_HU: Final = 65.0
#: Squares this wide lie inside the organ.
KIDNEY_MM: Final = 18.0
LIVER_MM: Final = 30.0
#: Lung on one side below this share of the other's is none.
ONE_SIDE: Final = 0.1
#: Standard deviation within one organ, noise included; bone and edges vary more.
EVEN_HU: Final = 28.0


def contrast_phase(sample: Sample) -> Answer:
    """``none``, ``arterial``, ``portal`` or ``unknown``.

    Blood of the heart and great vessels between the lungs (:func:`ennead.contrast.blood_hu`) and
    the kidneys say whether there is contrast medium; the liver tells the phases apart. The
    abdominal aorta is not sought: a vertebra or bowel with contrast beside it is easily taken for
    it. Blood that is enhanced without a liver and kidneys to look at is ``unknown``, with its
    numbers.
    """
    if sample.modality != "CT" or not sample.axial:
        return Answer.unknown()
    slices = sample.slices
    parts = believed([part_of(each) for each in slices])
    abdomen = [each for each, part in zip(slices, parts, strict=True) if part == "abdomen"]
    measured = {
        "blood_hu": _blood(
            [each for each, part in zip(slices, parts, strict=True) if part == "chest"],
            sample.spacing_mm[0],
        ),
        "kidney_hu": _highest([_kidneys(each) for each in abdomen]),
        "liver_hu": _highest([_liver(each) for each in abdomen]),
    }
    numbers: dict[str, float | str] = {k: round(v) for k, v in measured.items() if v is not None}
    said = said_enhanced(sample.attributes)
    if said:
        numbers["said"] = said
    return Answer((_phase(measured),), numbers)


def _phase(measured: dict[str, float | None]) -> str:
    blood, kidney, liver = (measured[k] for k in ("blood_hu", "kidney_hu", "liver_hu"))
    if blood is not None and blood >= ARTERIAL_HU:
        return "arterial" if liver is None or liver < ARTERIAL_LIVER_HU else "unknown"
    if blood is not None and UNENHANCED_BELOW_HU <= blood < ENHANCED_ABOVE_HU:
        return "unknown"
    enhanced_kidney = kidney is not None and kidney >= ENHANCED_KIDNEY_HU
    plain_kidney = kidney is not None and kidney < PLAIN_KIDNEY_HU
    plain_liver = liver is None or liver < ARTERIAL_LIVER_HU
    if blood is None or blood < UNENHANCED_BELOW_HU:
        seen = blood is not None or plain_kidney
        if seen and plain_liver and (kidney is None or plain_kidney):
            return "none"
    if blood is None or blood >= ENHANCED_ABOVE_HU:
        if liver is not None and liver >= PORTAL_LIVER_HU and enhanced_kidney:
            return "portal"
    return "unknown"


def _blood(slices: Sequence[SliceFeatures], gap_mm: float) -> float | None:
    """Between the lungs of slices of the chest."""
    chest = [each for each in slices if each.spine is not None]
    if not chest:
        return None
    spines = np.array([each.spine for each in chest])
    row, column = (float(v) for v in np.median(spines, axis=0))
    sides = [_sides(each, column) for each in chest]
    right, left = (np.stack([pair[n] for pair in sides]) for n in (0, 1))
    for one, other in ((right, left), (left, right)):
        if one.sum() < ONE_SIDE * other.sum():
            one[:] = False  # a tip that crosses the midline is no second lung
    hu = np.stack([each.hu for each in chest])
    spacing = (gap_mm, *chest[0].pixel_mm)
    return blood_hu(hu, right, left, spacing, (row, column))


def _sides(slice_: SliceFeatures, column: float) -> tuple[Mask, Mask]:
    """Pockets of lung whose middle lies right or left of ``column``."""
    labels, count = ndimage.label(slice_.lungs)
    right, left = np.zeros_like(slice_.lungs), np.zeros_like(slice_.lungs)
    for label in range(1, count + 1):
        pocket = labels == label
        middle = float(np.argwhere(pocket)[:, 1].mean())
        (right if middle < column else left)[pocket] = True
    return right, left


def _kidneys(slice_: SliceFeatures) -> float | None:
    """The brightest large round thing beside the spine that both sides have, darker side."""
    spine = slice_.spine
    if spine is None:
        return None
    right = _window(slice_, spine, front_mm=(55.0, -45.0), side_mm=(100.0, -30.0))
    left = _window(slice_, spine, front_mm=(55.0, -45.0), side_mm=(-30.0, 100.0))
    sides = [_brightest(slice_, side, KIDNEY_MM, EVEN_HU) for side in (right, left)]
    found = [v for v in sides if v is not None]
    return min(found) if len(found) == 2 else None


def _liver(slice_: SliceFeatures) -> float | None:
    """The brightest very large even thing on the patient's right."""
    spine = slice_.spine
    if spine is None:
        return None
    right = _window(slice_, spine, front_mm=(220.0, 25.0), side_mm=(200.0, -30.0))
    return _brightest(slice_, right, LIVER_MM, EVEN_HU)


def _window(
    slice_: SliceFeatures,
    spine: tuple[float, float],
    front_mm: tuple[float, float],
    side_mm: tuple[float, float],
) -> npt.NDArray[np.bool_]:
    """Pixels between two distances in front of the spine, and right and left of it."""
    rows = (spine[0] - np.arange(slice_.hu.shape[0])) * slice_.pixel_mm[0]
    columns = (np.arange(slice_.hu.shape[1]) - spine[1]) * slice_.pixel_mm[1]
    ahead = (rows <= front_mm[0]) & (rows >= front_mm[1])
    beside = (columns >= -side_mm[0]) & (columns <= side_mm[1])
    return np.asarray(ahead[:, None] & beside[None, :] & slice_.body)


def _brightest(
    slice_: SliceFeatures, where: npt.NDArray[np.bool_], width_mm: float, even_hu: float
) -> float | None:
    """Mean HU of the brightest square of ``width_mm`` that is as even as one organ."""
    size = [max(1, round(width_mm / mm)) for mm in slice_.pixel_mm]
    hu = slice_.hu.astype(np.float64)
    mean = ndimage.uniform_filter(hu, size)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(hu * hu, size) - mean * mean, 0.0))
    inside = mean[where & (spread <= even_hu) & (mean > 0)]
    return float(inside.max()) if inside.size else None


def _highest(values: Sequence[float | None]) -> float | None:
    """Few slices show the middle of an organ; the others are darkened by what lies beside it."""
    known = [v for v in values if v is not None]
    return max(known, default=None)
