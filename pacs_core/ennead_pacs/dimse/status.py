"""DIMSE statuses (PS3.4 Table B.2-1, Table C.4-1, PS3.7 Annex C)."""

from __future__ import annotations

from typing import Final

from ennead.errors import (
    AccessError,
    Conflict,
    EnneadError,
    InvalidUID,
    LimitExceeded,
    MalformedObject,
    OutOfResources,
    UnusableObject,
)

SUCCESS: Final = 0x0000
PROCESSING_FAILURE: Final = 0x0110
INVALID_OBJECT_INSTANCE: Final = 0x0117
NOT_AUTHORISED: Final = 0x0124
UNRECOGNISED_OPERATION: Final = 0x0211
OUT_OF_RESOURCES: Final = 0xA700
UNABLE_TO_PERFORM_SUBOPERATIONS: Final = 0xA702
DOES_NOT_MATCH_SOP_CLASS: Final = 0xA900
SOME_SUBOPERATIONS_FAILED: Final = 0xB000
CANNOT_UNDERSTAND: Final = 0xC000
UNABLE_TO_PROCESS: Final = 0xC001
DUPLICATE_WITH_OTHER_CONTENT: Final = 0xC111
CANCELLED: Final = 0xFE00
PENDING: Final = 0xFF00
PENDING_WITHOUT_SOME_KEYS: Final = 0xFF01

_STATUSES: Final[tuple[tuple[type[EnneadError], int], ...]] = (
    (MalformedObject, CANNOT_UNDERSTAND),
    (UnusableObject, DOES_NOT_MATCH_SOP_CLASS),
    (InvalidUID, INVALID_OBJECT_INSTANCE),
    (LimitExceeded, OUT_OF_RESOURCES),
    (Conflict, DUPLICATE_WITH_OTHER_CONTENT),
    (OutOfResources, OUT_OF_RESOURCES),
    (AccessError, NOT_AUTHORISED),
)


def store_status(error: EnneadError) -> int:
    """The C-STORE status that tells the peer about ``error``."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return PROCESSING_FAILURE
