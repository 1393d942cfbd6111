"""Identifiers of C-FIND and C-GET: read, checked, and written back (PS3.4 §C.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from ennead.errors import UnusableObject
from ennead_pacs.dimse.sop_classes import PATIENT_ROOT_FIND, PATIENT_ROOT_GET
from ennead_pacs.storage.scan import DatasetScanner
from ennead_pacs.storage.text import Decoder
from ennead_pacs.storage.transfer_syntaxes import transfer_syntax

#: Largest identifier that is read.
IDENTIFIER_LIMIT: Final = 1024 * 1024
LEVEL: Final = 0x00080052
CHARACTER_SET: Final = 0x00080005
_DEPTH: Final = 8

# Longest value per VR, in characters; ranges and escapes are allowed for (PS3.5 Table 6.2-1).
_LONGEST: Final = {
    "AE": 16,
    "AS": 4,
    "CS": 16,
    "DA": 18,
    "DS": 16,
    "DT": 54,
    "IS": 12,
    "LO": 64,
    "LT": 10240,
    "PN": 194,
    "SH": 16,
    "ST": 1024,
    "TM": 28,
    "UI": 64,
}
# A wildcard key may be as long as its VR, and a little: "*" at both ends.
_WILD_ROOM: Final = 2


class _Everything:
    def __contains__(self, tag: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Identifier:
    """A decoded identifier.

    ``values`` maps tags to text, in ascending order; sequences are not among them.
    """

    level: str
    values: Mapping[int, str]

    def filters(self) -> dict[str, str]:
        """Keyword → value of the keys that restrict the matches."""
        return {keyword(tag): value for tag, value in self.values.items() if value}


@cache
def _entry(tag: int) -> tuple[str, str]:
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    try:
        vr = dictionary_VR(tag)
        return ("US" if vr == "US or SS" else vr.split(" ")[0]), dictionary_keyword(tag)
    except KeyError:
        return "UN", f"{tag:08X}"


def keyword(tag: int) -> str:
    """Keyword of a tag; eight hex digits for an unknown one."""
    return _entry(tag)[1]


def read_identifier(data: bytes | bytearray, transfer_syntax_uid: str, root: str) -> Identifier:
    """Decode and check an identifier.

    Raises
    ------
    MalformedObject
        It cannot be parsed.
    UnusableObject
        The level is missing or unknown, or a value is longer than its VR allows (A900H).
    """
    syntax = transfer_syntax(transfer_syntax_uid)
    scanner = DatasetScanner(syntax, _Everything(), _DEPTH, IDENTIFIER_LIMIT)
    scanner.feed(memoryview(data))
    scanner.finish()
    decoder = Decoder(scanner.values.get(CHARACTER_SET, b""))
    values: dict[int, str] = {}
    for tag in sorted(scanner.values):
        vr, name = _entry(tag)
        raw = scanner.values[tag]
        if tag & 0xFFFF == 0 or vr in ("SQ", "UN", "OB", "OW", "US", "UL", "AT"):
            if tag & 0xFFFF and raw and vr == "US":
                values[tag] = str(int.from_bytes(raw[:2], "little"))
            elif tag & 0xFFFF:
                values[tag] = ""
            continue
        text = decoder.text(raw)
        _check_length(name, vr, text)
        values[tag] = text
    level = values.pop(LEVEL, "").upper()
    levels = {"STUDY", "SERIES", "IMAGE"}
    if root in (PATIENT_ROOT_FIND, PATIENT_ROOT_GET):
        levels.add("PATIENT")
    if level not in levels:
        raise UnusableObject(
            f"QueryRetrieveLevel must be one of {', '.join(sorted(levels))}; got {level[:16]!r}."
        )
    values.pop(CHARACTER_SET, None)
    return Identifier(level, values)


def _check_length(name: str, vr: str, text: str) -> None:
    longest = _LONGEST.get(vr, 1024)
    room = 0 if vr == "UI" else _WILD_ROOM
    parts = text.split("\\") if vr in ("UI", "CS", "AE") else [text]
    for part in parts:
        if len(part) > longest + room:
            raise UnusableObject(
                f"The value of {name} has {len(part)} characters; VR {vr} allows "
                f"{longest} (PS3.5 Table 6.2-1). Shorten the query."
            )


def encode_dataset(elements: Iterable[tuple[int, str]], *, implicit: bool) -> bytes:
    """A flat dataset of text attributes, in the order given (ascending tags).

    Text beyond ASCII is UTF-8, announced by SpecificCharacterSet.
    """
    parts: list[bytes] = []
    beyond_ascii = False
    for tag, value in elements:
        vr = _entry(tag)[0]
        if vr == "SQ" or not value:
            data = b""
        elif vr == "US":
            data = int(value).to_bytes(2, "little")
        else:
            data = value.encode()
            beyond_ascii = beyond_ascii or len(data) != len(value)
            if len(data) % 2:
                data += b"\0" if vr == "UI" else b" "
        parts.append(_element(tag, vr, data, implicit))
    if beyond_ascii:
        parts.insert(0, _element(CHARACTER_SET, "CS", b"ISO_IR 192", implicit))
    return b"".join(parts)


def _element(tag: int, vr: str, data: bytes, implicit: bool) -> bytes:
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    if implicit:
        return head + len(data).to_bytes(4, "little") + data
    if vr in ("SQ", "UN", "UT", "UC", "UR", "OB", "OW"):
        return head + vr.encode() + bytes(2) + len(data).to_bytes(4, "little") + data
    return head + vr.encode() + len(data).to_bytes(2, "little") + data
