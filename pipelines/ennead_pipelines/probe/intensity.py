"""Whether intensities are those of the modality: air and tissue on CT, ranges on MR and PET."""

from __future__ import annotations

from typing import Final

import numpy as np

from ennead import headers
from ennead_pipelines.probe.answer import Answer
from ennead_pipelines.probe.features import PADDING_HU
from ennead_pipelines.probe.sample import Sample

#: Room air, without padding, and the commonest value of a body's tissue (fat to enhanced organs).
AIR_HU: Final = (-1080.0, -920.0)
TISSUE_HU: Final = (-140.0, 140.0)
#: Darker is no tissue. Brighter is bone, metal or dense contrast medium: never so much of a body.
DARKEST_HU: Final = -300.0
BRIGHT_HU: Final = 600.0
BRIGHT_SHARE: Final = 0.25
#: Fewer pixels than this tell nothing.
LEAST_CM2: Final = 10.0
_UNITS: Final = "00541001"
#: Largest values that occur, by Units of a PET series (PS3.3 §C.8.9.1).
_PET_HIGHEST: Final = {"BQML": (50.0, 1e8), "GML": (0.3, 500.0), "CNTS": (1.0, 1e8)}


def intensity(sample: Sample) -> Answer:
    """``plausible``, ``implausible`` or ``unknown``."""
    if not sample.values.size or float(sample.highest.max()) == float(sample.lowest.min()):
        return Answer(("implausible",), {"highest": float(sample.highest.max())})
    if sample.modality == "CT":
        return _ct(sample)
    if sample.modality == "MR":
        return _magnitude(sample)
    if sample.modality == "PT":
        return _pet(sample)
    return Answer.unknown()


def _ct(sample: Sample) -> Answer:
    pixel_cm2 = sample.spacing_mm[1] * sample.spacing_mm[2] / 100
    slices = sample.slices
    bodies = [each.hu[each.body & (each.hu > DARKEST_HU)] for each in slices]
    tissue = np.concatenate(bodies) if bodies else np.empty(0)
    numbers: dict[str, float | str] = {"lowest": round(float(sample.lowest.min()), 1)}
    if tissue.size * pixel_cm2 < LEAST_CM2:
        return Answer.unknown(**numbers)
    bright = float((tissue > BRIGHT_HU).mean())
    numbers |= {"tissue_hu": round(_mode(tissue), 1), "bright_percent": round(100 * bright, 1)}
    signs = [TISSUE_HU[0] <= _mode(tissue) <= TISSUE_HU[1], bright <= BRIGHT_SHARE]
    dark = np.concatenate(
        [each.hu[(each.hu < DARKEST_HU) & (each.hu > PADDING_HU) & ~each.body] for each in slices]
    )
    if dark.size * pixel_cm2 >= LEAST_CM2:
        air = dark[(dark >= AIR_HU[0]) & (dark <= AIR_HU[1])].size * pixel_cm2
        numbers["air_cm2"] = round(air)
        numbers["outside_hu"] = round(_mode(dark), 1)
        signs.append(air >= LEAST_CM2 or dark.size * pixel_cm2 < 5 * LEAST_CM2)
    return Answer(("plausible" if all(signs) else "implausible",), numbers)


def _mode(values: np.ndarray) -> float:
    """The commonest value: the peak of a histogram of 10 units a bin, smoothed."""
    low, high = float(values.min()), float(values.max())
    count, edges = np.histogram(values, bins=max(1, min(2000, round((high - low) / 10))))
    smooth = np.convolve(count, np.ones(3), mode="same")
    peak = int(np.argmax(smooth))
    return float((edges[peak] + edges[peak + 1]) / 2)


def _magnitude(sample: Sample) -> Answer:
    """MR: signal over a darker background, and more than a handful of grey levels."""
    values = sample.values
    bright, typical = np.percentile(values, [99, 25])
    levels = float(np.unique(np.rint(values)).size)
    numbers: dict[str, float | str] = {
        "lowest": round(float(sample.lowest.min()), 2),
        "p25": round(float(typical), 2),
        "p99": round(float(bright), 2),
        "grey_levels": levels,
    }
    good = bright > 0 and bright > 1.5 * max(float(typical), 0.0) and levels >= 32
    return Answer(("plausible" if good else "implausible",), numbers)


def _pet(sample: Sample) -> Answer:
    units = headers.text(sample.attributes, _UNITS)
    highest = float(sample.highest.max())
    numbers: dict[str, float | str] = {
        "units": units or "?",
        "lowest": round(float(sample.lowest.min()), 3),
        "highest": round(highest, 3),
    }
    if units not in _PET_HIGHEST:
        return Answer.unknown(**numbers)
    low, high = _PET_HIGHEST[units]
    good = low <= highest <= high and float(sample.lowest.min()) >= -0.05 * highest
    return Answer(("plausible" if good else "implausible",), numbers)
