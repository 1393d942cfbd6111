"""The answer to a STOW-RS request (PS3.18 §10.5.3, §I.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from ennead.errors import (
    Conflict,
    EnneadError,
    InvalidUID,
    LimitExceeded,
    MalformedObject,
    NotFound,
    OutOfResources,
    UnusableObject,
)
from ennead_pacs.prepare.peek import Peeked

OUT_OF_RESOURCES: Final = 0xA700
DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
DUPLICATE: Final = 0xC111
SYNTAX_REFUSED: Final = 0xC122

_REASONS: Final[tuple[tuple[type[EnneadError], int], ...]] = (
    (Conflict, DUPLICATE),
    (OutOfResources, OUT_OF_RESOURCES),
    (LimitExceeded, OUT_OF_RESOURCES),
    (InvalidUID, DOES_NOT_MATCH),
    (UnusableObject, DOES_NOT_MATCH),
    (MalformedObject, CANNOT_UNDERSTAND),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A part that is durable."""

    sop_class_uid: str
    instance_uid: str
    series_uid: str
    study_uid: str
    new: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A part that was refused; UIDs are empty where they could not be read."""

    sop_class_uid: str
    instance_uid: str
    reason: int
    message: str


@dataclass(slots=True)
class Outcome:
    """The whole request so far; ``exhausted`` when storage could take no more."""

    stored: list[Stored] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    exhausted: bool = False

    @property
    def status(self) -> int:
        """200 all stored, 202 some, 409 none (PS3.18 Table 10.5.3-1); 503 without resources."""
        if self.stored:
            return 202 if self.failed else 200
        return 503 if self.exhausted else 409

    def response(self, base: str) -> bytes:
        """The Store Instances Response Module in the DICOM JSON Model (PS3.3 §C.12.3)."""
        found: dict[str, Any] = {}
        studies = {s.study_uid for s in self.stored}
        if len(studies) == 1:
            found["00081190"] = _ur(f"{base}/studies/{studies.pop()}")
        if self.stored:
            items = [
                {
                    "00081150": _ui(s.sop_class_uid),
                    "00081155": _ui(s.instance_uid),
                    "00081190": _ur(
                        f"{base}/studies/{s.study_uid}/series/{s.series_uid}"
                        f"/instances/{s.instance_uid}"
                    ),
                }
                for s in self.stored
            ]
            found["00081199"] = {"vr": "SQ", "Value": items}
        known = [f for f in self.failed if f.instance_uid]
        others = [f for f in self.failed if not f.instance_uid]
        if known:
            items = [
                {
                    "00081150": _ui(f.sop_class_uid),
                    "00081155": _ui(f.instance_uid),
                    **_reason(f),
                }
                for f in known
            ]
            found["00081198"] = {"vr": "SQ", "Value": items}
        if others:
            found["0008119A"] = {"vr": "SQ", "Value": [_reason(f) for f in others]}
        return json.dumps(dict(sorted(found.items())), ensure_ascii=False).encode()


def reason_of(error: EnneadError, seen: Peeked) -> int:
    """Failure Reason (0008,1197) of a refusal (PS3.18 Table I.2-2)."""
    if isinstance(error, UnusableObject) and seen.deflated:
        return SYNTAX_REFUSED
    if isinstance(error, NotFound):
        return DOES_NOT_MATCH
    return next((code for kind, code in _REASONS if isinstance(error, kind)), CANNOT_UNDERSTAND)


def _reason(failed: Failed) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [failed.reason]}}


def _ui(value: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [value]} if value else {"vr": "UI"}


def _ur(value: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [value]}
