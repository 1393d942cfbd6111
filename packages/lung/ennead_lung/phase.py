"""Contrast phase: what the header says and what the blood between the lungs measures.

Densitometry needs an unenhanced scan, because contrast raises the attenuation of every lung voxel
that holds a capillary. The header alone is often wrong, so header and measurement must agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from ennead.contracts import JSONAttributes
from ennead.contrast import ENHANCED_ABOVE_HU, UNENHANCED_BELOW_HU, said_enhanced
from ennead.findings import RefusalCode


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


def contrast_phase(attributes: JSONAttributes, blood: float | None) -> Phase:
    """Decide from tag, description and measured blood; any disagreement refuses.

    Notes
    -----
    Specialties page, section 0, PHASE.
    """
    said = said_enhanced(attributes)
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
