"""Contrast phase: what the header says and what the blood between the lungs measures.

Densitometry needs an unenhanced scan, because contrast raises the attenuation of every lung voxel
that holds a capillary. The header alone is often wrong, so header and measurement must agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead.findings import RefusalCode
from ennead.folding import fold
from ennead_lung._sides import LEFT, RIGHT
from ennead_lung.mask import Anatomy

#: Blood and heart below are unenhanced, above are enhanced; between, nobody can tell.
UNENHANCED_BELOW_HU = 75.0
ENHANCED_ABOVE_HU = 90.0
#: This much of the smoothed mediastinum is at least as bright as the value taken for its blood.
POOL_CM3 = 30.0
#: The mediastinum must be at least this large to be measured.
SMALLEST_CM3 = 60.0
#: Vertebrae begin about this far in front of the vertebral column's centre of bone.
SPINE_FRONT_MM = 30.0
#: Where one lung is missing, the mediastinum is taken to end this far beyond the midline.
BEYOND_MIDLINE_MM = 30.0

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


@dataclass(frozen=True, slots=True)
class Phase:
    """Whether densitometry may use the scan; ``code`` is None when it may.

    Parameters
    ----------
    text_key : str
        Of the refusal; "" when there is none.
    blood_hu : float or None
        Measured between the lungs.
    """

    code: RefusalCode | None
    text_key: str
    blood_hu: float | None
    said: str = ""

    @property
    def values(self) -> dict[str, str | int | float]:
        """Placeholders of the text."""
        found: dict[str, str | int | float] = {"said": self.said, "limit": UNENHANCED_BELOW_HU}
        if self.blood_hu is not None:
            found["hu"] = round(self.blood_hu)
        return found


def contrast_phase(attributes: JSONAttributes, anatomy: Anatomy) -> Phase:
    """Decide from tag, description and measurement; any disagreement refuses.

    Notes
    -----
    Specialties page, section 0, PHASE.
    """
    blood = blood_hu(anatomy)
    said = _said_enhanced(attributes)
    if said:
        if blood is not None and blood < UNENHANCED_BELOW_HU:
            return Phase(RefusalCode.PHASE, "refusal.phase.disagrees", blood, said)
        return Phase(RefusalCode.PHASE, "refusal.phase.enhanced", blood, said)
    if blood is None:
        return Phase(RefusalCode.PHASE, "refusal.phase.unmeasured", None)
    if blood >= ENHANCED_ABOVE_HU:
        return Phase(RefusalCode.PHASE, "refusal.phase.measured", blood)
    if blood >= UNENHANCED_BELOW_HU:
        return Phase(RefusalCode.PHASE, "refusal.phase.uncertain", blood)
    return Phase(None, "", blood)


def _said_enhanced(attributes: JSONAttributes) -> str:
    """What in the header claims contrast, or ""."""
    agent = headers.text(attributes, _AGENT)
    if fold(agent) not in _NO_AGENT:
        return agent
    for tag in (_SERIES, _PROTOCOL):
        text = headers.text(attributes, tag)
        folded = fold(text)
        if _ENHANCED.search(_PLAIN.sub(" ", folded)):
            return text
    return ""


def blood_hu(anatomy: Anatomy) -> float | None:
    """Attenuation of heart and great vessels, HU; None when too little of them is seen.

    The space between the lungs, row by row, in front of the spine, is smoothed over 3 mm. The
    value that 30 cm3 of it reach is blood in an unenhanced scan (muscle and fat lie below) and
    contrast in an enhanced one; calcifications and catheters are smaller than that.
    """
    coarse = anatomy.coarse
    closed = anatomy.closed
    columns = np.arange(closed.shape[2])
    start = _edge(closed == RIGHT, last=True)
    stop = _edge(closed == LEFT, last=False)
    if anatomy.middle is not None:
        reach = BEYOND_MIDLINE_MM / coarse.grid.spacing_mm[2]
        if not (closed == LEFT).any():
            stop = np.where(start >= 0, round(anatomy.middle.column + reach), -1)
        elif not (closed == RIGHT).any():
            start = np.where(stop >= 0, round(anatomy.middle.column - reach), -1)
    between = (columns > start[..., None]) & (columns < stop[..., None])
    between &= ((start >= 0) & (stop >= 0))[..., None]
    if anatomy.middle is not None:
        front = anatomy.middle.row - SPINE_FRONT_MM / coarse.grid.spacing_mm[1]
        between &= (np.arange(closed.shape[1]) < front)[None, :, None]
    smooth = ndimage.gaussian_filter(coarse.hu, [3.0 / s for s in coarse.grid.spacing_mm])
    selected = smooth[between & (smooth > -50) & (smooth < 700)]
    voxel_cm3 = coarse.grid.voxel_volume_mm3 / 1000
    if selected.size * voxel_cm3 < SMALLEST_CM3:
        return None
    pool = int(POOL_CM3 / voxel_cm3)
    return float(np.partition(selected, -pool)[-pool])


def _edge(lung: np.ndarray, *, last: bool) -> np.ndarray:
    """Column of the last or first lung voxel of each row; -1 where there is none."""
    any_row = lung.any(axis=2)
    flipped = lung[..., ::-1] if last else lung
    first = flipped.argmax(axis=2)
    return np.where(any_row, lung.shape[2] - 1 - first if last else first, -1)
