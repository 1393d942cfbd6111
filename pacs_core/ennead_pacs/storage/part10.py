"""The File Meta Information around a dataset (PS3.10 §7)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from ennead.errors import MalformedObject

#: Ours; derived once, never changed.
IMPLEMENTATION_CLASS_UID: Final = "2.25.275913824861230741285318432049852813757"
IMPLEMENTATION_VERSION: Final = "ENNEAD_0_1"
_META_LIMIT: Final = 64 * 1024
_ELEMENT = Struct("<HH2sH").unpack_from
_LONG = Struct("<I").unpack_from
_LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT")


def file_head(sop_class_uid: str, instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble (always zero, so that no other format hides in it), prefix and group 0002."""
    body = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _text(0x0002, b"UI", sop_class_uid),
            _text(0x0003, b"UI", instance_uid),
            _text(0x0010, b"UI", transfer_syntax_uid),
            _text(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _text(0x0013, b"SH", IMPLEMENTATION_VERSION),
        )
    )
    length = len(body).to_bytes(4, "little")
    return bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + length + body


def _text(element: int, vr: bytes, value: str) -> bytes:
    data = value.encode("ascii")
    if len(data) % 2:
        data += b"\0" if vr == b"UI" else b" "
    return b"\x02\x00" + element.to_bytes(2, "little") + vr + len(data).to_bytes(2, "little") + data


def read_meta(data: bytes | memoryview) -> tuple[str, int] | None:
    """Transfer syntax and offset of the dataset; None when more bytes are needed.

    Raises
    ------
    MalformedObject
        No ``DICM`` prefix, no transfer syntax, or a File Meta Information beyond 64 KiB.
    """
    if len(data) >= 132 and data[128:132] != b"DICM":
        raise MalformedObject(
            "The file has no DICM prefix at byte 128 (PS3.10 §7.1); it is not a Part 10 file."
        )
    offset, syntax = 132, ""
    while True:
        if offset + 12 > len(data):
            if len(data) > _META_LIMIT:
                raise MalformedObject("The File Meta Information is longer than 64 KiB.")
            return None
        group, element, vr, length = _ELEMENT(data, offset)
        if group != 2:
            break
        header = 8
        if vr in _LONG_VRS:
            header, length = 12, _LONG(data, offset + 8)[0]
        end = offset + header + length
        if end - 132 > _META_LIMIT:
            raise MalformedObject("The File Meta Information is longer than 64 KiB.")
        if end > len(data):
            return None
        if element == 0x0010:
            syntax = bytes(data[offset + header : end]).strip(b" \0").decode("ascii", "replace")
        offset = end
    if not syntax:
        raise MalformedObject(
            "The File Meta Information has no TransferSyntaxUID (0002,0010) (PS3.10 §7.1)."
        )
    return syntax, offset
