"""Command sets (PS3.7 §6.3, §9.3, Annex E): group 0000 in Implicit VR Little Endian."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import Final

from ennead_pacs.dimse.pdu import INVALID_PARAMETER, Aborted

NO_DATASET: Final = 0x0101
_ELEMENT = Struct("<HHI").unpack_from
_US = Struct("<HHIH").pack


class Field(IntEnum):
    """Elements of group 0000."""

    AFFECTED_SOP_CLASS_UID = 0x0002
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
    PRIORITY = 0x0700
    DATASET_TYPE = 0x0800
    STATUS = 0x0900
    OFFENDING_ELEMENT = 0x0901
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REMAINING = 0x1020
    COMPLETED = 0x1021
    FAILED = 0x1022
    WARNING = 0x1023


class CommandField(IntEnum):
    """Which message this is (PS3.7 Table E.1-1); a response has bit 15 set."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    C_CANCEL = 0x0FFF


RESPONSE: Final = 0x8000


class Command:
    """A decoded command set; absent elements read as 0 and empty text."""

    __slots__ = ("_values",)

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._values: dict[int, bytes] = {}
        offset, size = 0, len(data)
        while offset < size:
            if offset + 8 > size:
                raise Aborted(INVALID_PARAMETER, "a truncated command set")
            group, element, length = _ELEMENT(data, offset)
            end = offset + 8 + length
            if group != 0 or end > size:
                raise Aborted(INVALID_PARAMETER, "a command set that is not group 0000")
            self._values[element] = bytes(data[offset + 8 : end])
            offset = end
        if Field.COMMAND_FIELD not in self._values or Field.DATASET_TYPE not in self._values:
            raise Aborted(INVALID_PARAMETER, "a command set without CommandField or DataSetType")

    def number(self, field: Field) -> int:
        """An unsigned value."""
        return int.from_bytes(self._values.get(field, b"")[:4], "little")

    def text(self, field: Field) -> str:
        """A UID or other ASCII text, without padding."""
        raw = self._values.get(field, b"").strip(b" \0")
        return raw.decode("ascii", "backslashreplace")

    @property
    def has_dataset(self) -> bool:
        """Whether a dataset follows."""
        return self.number(Field.DATASET_TYPE) != NO_DATASET


def encode_command(elements: dict[int, int | str]) -> bytes:
    """A command set with its group length; elements in ascending order."""
    parts = []
    for element in sorted(elements):
        value = elements[element]
        if isinstance(value, int):
            parts.append(_US(0, element, 2, value))
            continue
        data = value.encode("ascii", "replace")
        if len(data) % 2:
            data += b" " if element == Field.ERROR_COMMENT else b"\0"
        parts.append(bytes(2) + element.to_bytes(2, "little") + len(data).to_bytes(4, "little"))
        parts.append(data)
    body = b"".join(parts)
    return bytes((0, 0, 0, 0, 4, 0, 0, 0)) + len(body).to_bytes(4, "little") + body


def encode_response(
    command: Command,
    status: int,
    *,
    comment: str = "",
    dataset: bool = False,
    counts: Mapping[str, int] | None = None,
) -> bytes:
    """The response to ``command``; ``counts`` may hold remaining, completed, failed, warning."""
    elements: dict[int, int | str] = {
        Field.COMMAND_FIELD: command.number(Field.COMMAND_FIELD) | RESPONSE,
        Field.MESSAGE_ID_BEING_RESPONDED_TO: command.number(Field.MESSAGE_ID),
        Field.DATASET_TYPE: 1 if dataset else NO_DATASET,
        Field.STATUS: status,
    }
    for field in (Field.AFFECTED_SOP_CLASS_UID, Field.AFFECTED_SOP_INSTANCE_UID):
        if text := command.text(field):
            elements[field] = text[:64]
    if comment:
        elements[Field.ERROR_COMMENT] = comment[:64]
    for name, value in (counts or {}).items():
        elements[Field[name.upper()]] = min(value, 0xFFFF)
    return encode_command(elements)
