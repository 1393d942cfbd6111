"""Coded concepts, and the registry of Ennead's private ones (scheme ``99ENNEAD``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRIVATE_SCHEME: Final = "99ENNEAD"
PRIVATE_SCHEME_UID: Final = "2.25.289106459226470813093384023853716164480"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: value, scheme designator, meaning (PS3.3 §8.8)."""

    value: str
    scheme: str
    meaning: str


def sct(value: str, meaning: str) -> Code:
    """A SNOMED CT concept."""
    return Code(value, "SCT", meaning)


def dcm(value: str, meaning: str) -> Code:
    """A DICOM Controlled Terminology concept (PS3.16 Annex D)."""
    return Code(value, "DCM", meaning)


def ucum(value: str, meaning: str | None = None) -> Code:
    """A UCUM unit; ``HOUNSFIELD`` and friends below are the ones in daily use."""
    return Code(value, "UCUM", meaning or value)


def private(value: str) -> Code:
    """A registered private concept.

    Raises
    ------
    KeyError
        When ``value`` is not in :data:`PRIVATE_CODES`.
    """
    return Code(value, PRIVATE_SCHEME, PRIVATE_CODES[value])


HOUNSFIELD: Final = ucum("[hnsf'U]", "Hounsfield unit")
PERCENT: Final = ucum("%", "percent")
CUBIC_CENTIMETRE: Final = ucum("cm3", "cubic centimeter")
MILLIMETRE: Final = ucum("mm", "millimeter")
CUBIC_MILLIMETRE: Final = ucum("mm3", "cubic millimeter")
GRAM_PER_LITRE: Final = ucum("g/L", "gram per liter")
RATIO: Final = ucum("{ratio}", "ratio")
NO_UNITS: Final = ucum("1", "no units")

RIGHT: Final = sct("24028007", "Right")
LEFT: Final = sct("7771000", "Left")
BILATERAL: Final = sct("51440002", "Right and left")
ANATOMICAL_STRUCTURE: Final = sct("91723000", "Anatomical Structure")
VOLUME: Final = sct("118565006", "Volume")

#: Every private concept, with its meaning; docs/reference/private-codes.md defines each.
PRIVATE_CODES: Final[dict[str, str]] = {
    "laa-950": "Low attenuation area below or at -950 HU",
    "laa-910": "Low attenuation area below or at -910 HU",
    "perc15": "15th percentile of lung attenuation",
    "perc15-density": "Lung density at the 15th percentile",
    "lung-lr-ratio": "Left to right lung volume ratio",
    "partial-coverage": "Organ partly outside the imaged volume",
    "check-wanted": "Measurement outside its usual range",
    "accepted": "Finding accepted by reader",
    "edited": "Finding edited by reader",
    "rejected": "Finding rejected by reader",
    "decision": "Reader decision",
    "decision-reason": "Reason for reader decision",
    "false-positive": "False positive",
    "wrong-site": "Wrong site",
    "wrong-size": "Wrong size",
    "duplicate": "Duplicate",
    "known": "Known finding",
    "other": "Other reason",
    "absent": "Sought and not found",
    "value-before-review": "Value before reader edit",
    "output": "Output of the package",
    "remark": "Remark on the finding",
    "package": "Package",
    "package-version": "Package version",
    "job": "Job",
}
