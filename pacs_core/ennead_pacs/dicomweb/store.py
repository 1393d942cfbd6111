"""What becomes of the parts of a STOW-RS request (PS3.18 §10.5, §I.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ennead.errors import (
    Conflict,
    EnneadError,
    InputError,
    InvalidUID,
    LimitExceeded,
    MalformedObject,
    NotFound,
    OutOfResources,
    UnsupportedMedia,
    UnusableObject,
)
from ennead.security import Principal
from ennead_pacs.ingest import Ingest, Writer
from ennead_pacs.prepare.peek import Peeked, peek

OUT_OF_RESOURCES: Final = 0xA700
DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
DUPLICATE: Final = 0xC111
SYNTAX_REFUSED: Final = 0xC122
#: Enough of an object to find its UIDs.
_PEEK: Final = 128 * 1024

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


class PartsToIngest:
    """Streams each part into the archive; a :class:`PartReceiver`.

    One part's refusal is noted and the others go on; only what ends the whole request is raised.
    """

    def __init__(self, ingest: Ingest, principal: Principal, study_uid: str = "") -> None:
        self.outcome = Outcome()
        self._ingest, self._principal, self._study_uid = ingest, principal, study_uid
        self._writer: Writer | None = None
        self._error: EnneadError | None = None
        self._first = bytearray()

    def begin_part(self, headers: Mapping[str, str]) -> None:
        """Open a writer for a part of type ``application/dicom``.

        Raises
        ------
        InputError
            The part is itself multipart.
        UnsupportedMedia
            The part is metadata or bulk data (PS3.18 §10.5.2), or encoded.
        """
        self._first.clear()
        self._error = None
        kind = headers.get("content-type", "application/dicom").split(";")[0].strip().lower()
        if kind.startswith("multipart/"):
            raise InputError("A part must not be multipart itself; send instances one per part.")
        if kind != "application/dicom":
            raise UnsupportedMedia(
                "Instances are stored as whole Part 10 objects (application/dicom); metadata with "
                f"separate bulk data is not read. This part is {kind[:60]!r}."
            )
        encoding = headers.get("content-transfer-encoding", "binary").lower()
        if encoding not in ("binary", "8bit", "7bit") or "content-encoding" in headers:
            raise UnsupportedMedia("A part's body is sent as it is (binary), not encoded.")
        self._writer = self._ingest.begin(
            source=f"stow:{self._principal.name}"[:200], principal=self._principal
        )

    def part_data(self, data: memoryview) -> None:
        """More of the part."""
        if len(self._first) < _PEEK:
            self._first += data[: _PEEK - len(self._first)]
        if self._writer is not None:
            try:
                self._writer.write(data)
            except EnneadError as error:
                self._writer, self._error = None, error

    def end_part(self) -> None:
        """Commit, and note how it went.

        Raises
        ------
        OutOfResources
            Storage is full: the rest of the request would fail as well.
        """
        seen = peek(bytes(self._first))
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                self._check_study(seen)
                outcome = writer.commit()
            except EnneadError as error:
                self._error = error
                writer.abort()
            else:
                self.outcome.stored.append(
                    Stored(
                        seen.sop_class_uid,
                        outcome.instance_uid,
                        seen.series_uid,
                        outcome.study_uid,
                        outcome.stored,
                    )
                )
                return
        assert self._error is not None
        self.outcome.failed.append(
            Failed(
                seen.sop_class_uid,
                seen.instance_uid,
                reason_of(self._error, seen),
                self._error.message,
            )
        )
        if isinstance(self._error, OutOfResources):
            self.outcome.exhausted = True
            raise self._error

    def abort(self) -> None:
        """Forget a part that was cut off."""
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    def _check_study(self, seen: Peeked) -> None:
        if self._study_uid and seen.study_uid != self._study_uid:
            raise UnusableObject(
                f"Instances sent to study {self._study_uid} must belong to it (PS3.18 §10.5.1); "
                "this one belongs to another."
            )


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
