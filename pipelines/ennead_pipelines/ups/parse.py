"""Reading what other systems send: one dataset of the DICOM JSON Model, checked before use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ennead import headers
from ennead.codes import PRIVATE_SCHEME
from ennead.errors import InputError
from ennead.identifiers import StudyUID, check_uid
from ennead_pipelines.ups.dataset import PACKAGE
from ennead_pipelines.ups.states import UPSState

#: Largest dataset; workitems hold references, no pixels.
LIMIT_BYTES: Final = 4 * 1024**2
_DEPTH: Final = 16
#: What a performer may change of a workitem that it has claimed.
UPDATABLE: Final = frozenset({"00741002", "00741216", "00741004", "00404010"})
#: Never by an update (PS3.4 Table CC.2.5-3).
_FIXED: Final = frozenset({"00080016", "00080018", "00741000", "00081195"})

Document = Mapping[str, Any]


def read_dataset(body: bytes) -> Document:
    """The one dataset of a request's body.

    Raises
    ------
    InputError
        It is no DICOM JSON, or holds more or less than one dataset.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The body is no JSON; send one dataset (PS3.18 §F.2).") from error
    if isinstance(found, list):
        if len(found) != 1:
            raise InputError(f"The body holds {len(found)} datasets; send one.")
        found = found[0]
    if not isinstance(found, dict) or not _sound(found, _DEPTH):
        raise InputError("The body is no dataset of the DICOM JSON Model (PS3.18 §F.2).")
    return found


def state_change(document: Document) -> tuple[UPSState, str]:
    """The state that is asked for, and the Transaction UID.

    Raises
    ------
    InputError
        Either is missing or wrong.
    """
    wanted = headers.text(document, "00741000")
    if wanted not in (UPSState.IN_PROGRESS, UPSState.COMPLETED, UPSState.CANCELED):
        raise InputError(
            f"Procedure Step State (0074,1000) must be IN PROGRESS, COMPLETED or CANCELED; got "
            f"{wanted[:20]!r}.",
            warning="The requested state is unknown.",
        )
    transaction = headers.text(document, "00081195")
    if not transaction:
        raise InputError(
            "Transaction UID (0008,1195) is missing; the performer chooses it when it claims.",
            warning="The Transaction UID is missing.",
        )
    return UPSState(wanted), check_uid(transaction, "Transaction UID")


def update_of(document: Document) -> dict[str, Any]:
    """What an update changes.

    Raises
    ------
    InputError
        It names an attribute that an update must not.
    """
    fixed = sorted(_FIXED & document.keys() - {"00081195"})
    if fixed:
        raise InputError(f"An update must not contain {', '.join(fixed)}.")
    return {tag: value for tag, value in document.items() if tag in UPDATABLE | {"00741200"}}


def requested_work(document: Document) -> tuple[StudyUID, str]:
    """The study and the package of a workitem that is to be created.

    Raises
    ------
    InputError
        The state is not SCHEDULED, or study or package is not named.
    """
    state = headers.text(document, "00741000", UPSState.SCHEDULED)
    if state != UPSState.SCHEDULED:
        raise InputError(f"A workitem is created as SCHEDULED; got {state[:20]!r}.")
    if headers.text(document, "00081195"):
        raise InputError("A workitem is created without a Transaction UID (0008,1195).")
    studies = {headers.text(item, "0020000D") for item in headers.items(document, "00404021")} - {
        ""
    }
    if len(studies) != 1:
        raise InputError(
            "Input Information Sequence (0040,4021) must name one study (0020,000D); it names "
            f"{len(studies)}."
        )
    package = ""
    for item in headers.items(document, "00741210"):
        names = headers.items(item, "0040A043")
        if any(_is_package(name) for name in names):
            package = headers.text(item, "0040A160")
    if not package:
        raise InputError(
            "Scheduled Processing Parameters Sequence (0074,1210) must hold a TEXT item with the "
            f"concept ({PACKAGE}, {PRIVATE_SCHEME}) whose value is a package's id."
        )
    return StudyUID(check_uid(studies.pop(), "Study Instance UID")), package


def cancel_reason(document: Document) -> str:
    """Reason For Cancellation (0074,1238), else the meaning of the coded one; may be empty."""
    said = headers.text(document, "00741238")
    for item in headers.items(document, "0074100E"):
        said = said or headers.text(item, "00080104")
    return said[:200]


def _is_package(name: Document) -> bool:
    value, scheme = headers.text(name, "00080100"), headers.text(name, "00080102")
    return (value, scheme) == (PACKAGE, PRIVATE_SCHEME)


def _sound(value: Any, depth: int) -> bool:
    """Tags of eight hexadecimal digits, each with a VR and perhaps values, not too deep."""
    if depth == 0 or not isinstance(value, dict):
        return False
    for tag, entry in value.items():
        if len(tag) != 8 or not all(c in "0123456789ABCDEF" for c in tag):
            return False
        if not isinstance(entry, dict) or not isinstance(entry.get("vr"), str):
            return False
        values = entry.get("Value", [])
        if not isinstance(values, list):
            return False
        if entry["vr"] == "SQ" and not all(_sound(item, depth - 1) for item in values):
            return False
    return True
