"""Contrast medium on CT: what a header says of it, and what blood between the lungs measures.

Shared by the platform's phase probe and by packages that measure density, so that both decide by
the same words and the same blood.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from scipy import ndimage

from ennead import headers
from ennead.coarse import Image
from ennead.contracts import JSONAttributes
from ennead.findings import Mask
from ennead.folding import fold

#: Blood and heart below are unenhanced, above are enhanced; between, nobody can tell.
UNENHANCED_BELOW_HU: Final = 75.0
ENHANCED_ABOVE_HU: Final = 90.0
#: This much of the smoothed mediastinum is at least as bright as the value taken for its blood.
POOL_CM3: Final = 30.0
#: The mediastinum must be at least this large to be measured.
SMALLEST_CM3: Final = 60.0
#: Vertebrae begin about this far in front of the vertebral column's centre of bone.
SPINE_FRONT_MM: Final = 30.0
#: Where one lung is missing, the mediastinum is taken to end this far beyond the midline.
BEYOND_MIDLINE_MM: Final = 30.0
#: Nearer to a lung, smoothing mixes air into the blood.
BORDER_MM: Final = 4.0
SMOOTHING_MM: Final = 3.0

_AGENT, _SERIES, _PROTOCOL = "00180010", "0008103E", "00181030"
_NO_AGENT = {"", "no", "none", "n", "khong", "no contrast", "without", "non contrast"}
_PLAIN = re.compile(
    r"\b(non?[ -]?contrast|(without|w/?o)( iv)?( contrast)?|unenhanced|non[ -]?enhanced|native|"
    r"plain|c-|(khong|truoc)( co| tiem| thuoc| can quang)+)"
)
_ENHANCED = re.compile(
    r"(\bc\+|\b(ce|cect|cta|ctpa|angio\w*|arterial|venous|portal|enhanced|contrast|"
    r"co thuoc|co tiem|sau tiem|can quang)\b)"
)


def said_enhanced(attributes: JSONAttributes) -> str:
    """What in the header claims contrast medium, or "".

    Reads ContrastBolusAgent, then SeriesDescription and ProtocolName in English or Vietnamese.
    """
    agent = headers.text(attributes, _AGENT)
    if fold(agent) not in _NO_AGENT:
        return agent
    for tag in (_SERIES, _PROTOCOL):
        text = headers.text(attributes, tag)
        folded = fold(text)
        if _ENHANCED.search(_PLAIN.sub(" ", folded)):
            return text
    return ""


def blood_hu(
    hu: Image,
    right_lung: Mask,
    left_lung: Mask,
    spacing_mm: tuple[float, float, float],
    spine: tuple[float, float] | None,
) -> float | None:
    """Attenuation of heart and great vessels, HU; None when too little of them is seen.

    The space between the lungs, row by row, in front of the spine, is smoothed over 3 mm. The
    value that 30 cm3 of it reach is blood in an unenhanced scan (muscle and fat lie below) and
    contrast in an enhanced one; calcifications and catheters are smaller than that.

    Parameters
    ----------
    hu : float32[z, y, x]
        Rows increase to the back and columns to the left. Slices may lie far apart: each stands
        for ``spacing_mm[0]`` of the body.
    right_lung, left_lung : bool[z, y, x]
        One of them may select nothing.
    spine : (row, column) or None
        Of the vertebral column, fractional; without it nothing behind is cut off.
    """
    columns = np.arange(hu.shape[2])
    start, stop = _edge(right_lung, last=True), _edge(left_lung, last=False)
    if spine is not None:
        reach = BEYOND_MIDLINE_MM / spacing_mm[2]
        if not left_lung.any():
            stop = np.where(start >= 0, round(spine[1] + reach), -1)
        elif not right_lung.any():
            start = np.where(stop >= 0, round(spine[1] - reach), -1)
    away = BORDER_MM / spacing_mm[2]
    between = (columns > start[..., None] + away) & (columns < stop[..., None] - away)
    between &= ((start >= 0) & (stop >= 0))[..., None]
    if spine is not None:
        front = spine[0] - SPINE_FRONT_MM / spacing_mm[1]
        between &= (np.arange(hu.shape[1]) < front)[None, :, None]
    smooth = ndimage.gaussian_filter(hu, [SMOOTHING_MM / s for s in spacing_mm])
    selected = smooth[between & (smooth > -50) & (smooth < 700)]
    voxel_cm3 = float(np.prod(spacing_mm)) / 1000
    if selected.size * voxel_cm3 < SMALLEST_CM3:
        return None
    pool = max(1, int(POOL_CM3 / voxel_cm3))
    return float(np.partition(selected, -pool)[-pool])


def _edge(lung: Mask, *, last: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.int_]]:
    """Column of the last or first lung voxel of each row; -1 where there is none."""
    any_row = lung.any(axis=2)
    flipped = lung[..., ::-1] if last else lung
    first = flipped.argmax(axis=2)
    return np.where(any_row, lung.shape[2] - 1 - first if last else first, -1)
