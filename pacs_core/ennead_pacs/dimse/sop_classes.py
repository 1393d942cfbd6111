"""SOP classes of the DIMSE services, and the transfer syntaxes each takes."""

from __future__ import annotations

from functools import cache
from typing import Final

from ennead_pacs.storage.transfer_syntaxes import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    TRANSFER_SYNTAXES,
)

VERIFICATION: Final = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
QUERY_CLASSES: Final = frozenset(
    {PATIENT_ROOT_FIND, PATIENT_ROOT_GET, STUDY_ROOT_FIND, STUDY_ROOT_GET}
)

_ROOT = "1.2.840.10008.5.1.4."
# Newer than the dictionary in use.
_NEWER = (
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.66.8",  # Height Map Segmentation
    "1.2.840.10008.5.1.4.1.1.9.100.1",  # Waveform Presentation State
    "1.2.840.10008.5.1.4.1.1.9.100.2",  # Waveform Acquisition Presentation State
)
# They describe no patient, so no study can hold them (PS3.4 Annex GG).
_WITHOUT_PATIENT = frozenset(
    f"{_ROOT}{tail}"
    for tail in (
        "1.1.200.1",
        "1.1.200.3",
        "1.1.200.7",
        "1.1.201.1",
        "38.1",
        "39.1",
        "43.1",
        "44.1",
        "45.1",
    )
)
_QUERY_SYNTAXES: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
_STORAGE_SYNTAXES: Final = tuple(TRANSFER_SYNTAXES)


@cache
def storage_classes() -> frozenset[str]:
    """Every storage SOP class whose objects belong to a study."""
    from pydicom.uid import UID_dictionary

    known = {
        uid
        for uid, entry in UID_dictionary.items()
        if uid.startswith(_ROOT) and entry[1] == "SOP Class" and "Storage" in entry[0]
    }
    return frozenset(known | set(_NEWER)) - _WITHOUT_PATIENT


def supported_syntaxes(abstract_syntax: str) -> tuple[str, ...] | None:
    """Transfer syntaxes in order of preference; None for a SOP class that is not served."""
    if abstract_syntax in storage_classes():
        return _STORAGE_SYNTAXES
    if abstract_syntax in QUERY_CLASSES or abstract_syntax == VERIFICATION:
        return _QUERY_SYNTAXES
    return None
