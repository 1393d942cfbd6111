"""The UIDs at the beginning of a Part 10 object, for answers about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ennead.errors import InputError
from ennead_pacs.prepare.part10 import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    read_element,
    walk,
)

_SERIES_UID: Final = 0x0020000E


@dataclass(frozen=True, slots=True)
class Peeked:
    """What was readable; empty strings for the rest. Values are only ones that UIDs may have."""

    sop_class_uid: str = ""
    instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    transfer_syntax_uid: str = ""

    @property
    def deflated(self) -> bool:
        """Whether the dataset is deflated, which is not taken in."""
        return self.transfer_syntax_uid == DEFLATED


def peek(data: bytes) -> Peeked:
    """UIDs found in the first bytes of an object; never raises for what they hold."""
    if data[128:132] != b"DICM":
        return Peeked()
    found: dict[int, str] = {}

    def take(tag: int, start: int, length: int) -> None:
        text = data[start : start + length].decode("latin-1").strip("\0 ")
        if len(text) <= 64 and set(text) <= set("0123456789."):
            found[tag] = text

    position = 132
    try:
        while data[position : position + 2] == b"\x02\x00":
            element = read_element(data, position, len(data), Encoding(True, True))
            take(element.tag, element.offset, element.length)
            position = element.offset + element.length
        syntax = found.get(0x00020010, EXPLICIT_LITTLE)
        if syntax != DEFLATED:
            encoding = Encoding(syntax != IMPLICIT_LITTLE, syntax != EXPLICIT_BIG)
            for element in walk(data, position, len(data), encoding):
                if element.tag in (0x00080016, 0x00080018, 0x0020000D, _SERIES_UID):
                    take(element.tag, element.offset, element.length)
                if element.tag >= _SERIES_UID:
                    break
    except InputError:
        pass  # cut off by the end of the peek, or damaged: what was found stands
    return Peeked(
        found.get(0x00080016) or found.get(0x00020002, ""),
        found.get(0x00080018) or found.get(0x00020003, ""),
        found.get(0x0020000D, ""),
        found.get(_SERIES_UID, ""),
        found.get(0x00020010, ""),
    )
