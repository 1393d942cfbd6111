"""A stored Part 10 file as one readable buffer, and the elements in it.

The walk below never builds pydicom objects: it gives positions, so that the header of a CT slice
costs a fraction of a millisecond and pixel data is never touched.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pydicom.datadict import dictionary_VR

from ennead.errors import LimitExceeded, MalformedObject

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"
NATIVE: Final = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG})

UNDEFINED: Final = 0xFFFFFFFF
DEPTH_LIMIT: Final = 32
INFLATE_RATIO: Final = 100
INFLATE_LIMIT: Final = 1024**3

ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010

_LONG: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_VR_NAMES: Final[dict[bytes, str]] = {
    name.encode(): name
    for name in "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC "
    "UI UL UN UR US UT UV".split()
}
_implicit_vrs: dict[int, str] = {}

Buffer = bytes | mmap.mmap


class Element(NamedTuple):
    """Where an element's value lies; ``length`` is :data:`UNDEFINED` for delimited values."""

    tag: int
    vr: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a dataset is written (PS3.5 §7)."""

    explicit: bool
    little: bool

    @property
    def order(self) -> str:
        """The byte-order sign of :mod:`struct` and numpy."""
        return "<" if self.little else ">"


def implicit_vr(tag: int) -> str:
    """The dictionary's VR of ``tag``; ``UN`` when private or unknown. May be ``US or SS``."""
    found = _implicit_vrs.get(tag)
    if found is None:
        try:
            found = dictionary_VR(tag)
        except KeyError:
            # A private creator is LO (PS3.5 §7.8.1).
            found = "LO" if (tag >> 16) & 1 and 0x10 <= (tag & 0xFFFF) <= 0xFF else "UN"
        if len(_implicit_vrs) < 20_000:
            _implicit_vrs[tag] = found
    return found


def read_element(data: Buffer, position: int, stop: int, encoding: Encoding) -> Element:
    """The element that starts at ``position``.

    Raises
    ------
    MalformedObject
        It does not fit before ``stop`` (PS3.5 §7.1).
    """
    order = encoding.order
    try:
        group, number = struct.unpack_from(order + "HH", data, position)
        tag = group << 16 | number
        if group == 0xFFFE:
            vr, offset = "", position + 8
            (length,) = struct.unpack_from(order + "L", data, position + 4)
        elif encoding.explicit:
            code = data[position + 4 : position + 6]
            if code in _LONG or code not in _VR_NAMES:
                offset = position + 12
                (length,) = struct.unpack_from(order + "L", data, position + 8)
            else:
                offset = position + 8
                (length,) = struct.unpack_from(order + "H", data, position + 6)
            vr = _VR_NAMES.get(code, "UN")
        else:
            vr, offset = implicit_vr(tag), position + 8
            (length,) = struct.unpack_from(order + "L", data, position + 4)
    except struct.error as error:
        raise _truncated(position) from error
    if length != UNDEFINED and offset + length > stop:
        raise _truncated(position)
    return Element(tag, vr, offset, length)


def walk(data: Buffer, start: int, stop: int, encoding: Encoding) -> Iterator[Element]:
    """The elements of one level; nested ones are skipped. Ends at ``stop`` or a delimiter."""
    position = start
    while position + 8 <= stop:
        element = read_element(data, position, stop, encoding)
        if element.tag >> 16 == 0xFFFE:
            return
        yield element
        position = end_of(data, element, stop, encoding)


def end_of(data: Buffer, element: Element, stop: int, encoding: Encoding) -> int:
    """Position after the element; delimited values are scanned, at most 32 levels deep."""
    if element.length != UNDEFINED:
        return element.offset + element.length
    if element.tag == PIXEL_DATA or element.vr in ("OB", "OW"):
        return skip_fragments(data, element.offset, stop, encoding)
    # UN of undefined length is an implicit little-endian sequence (PS3.5 §6.2.2).
    inner = Encoding(False, True) if element.vr == "UN" and encoding.explicit else encoding
    stack = [(inner, False)]  # (encoding, whether inside an item)
    position = element.offset
    while stack:
        current, in_item = stack[-1]
        child = read_element(data, position, stop, current)
        position = child.offset
        if child.tag == (ITEM_END if in_item else SEQUENCE_END):
            stack.pop()
        elif child.tag == ITEM and not in_item:
            if child.length == UNDEFINED:
                stack.append((current, True))
            else:
                position += child.length
        elif not in_item or child.tag >> 16 == 0xFFFE:
            raise MalformedObject(
                "A sequence holds items only, and an item holds elements (PS3.5 §7.5); got tag "
                f"{child.tag:08X} at byte {position}. Ask the sender to correct the object."
            )
        elif child.length != UNDEFINED:
            position += child.length
        elif child.vr in ("OB", "OW"):
            position = skip_fragments(data, position, stop, current)
        else:
            if len(stack) > 2 * DEPTH_LIMIT:
                raise LimitExceeded(
                    f"Sequences may nest {DEPTH_LIMIT} deep; this object is deeper.",
                    limit=DEPTH_LIMIT,
                )
            unknown = child.vr == "UN" and current.explicit
            stack.append((Encoding(False, True) if unknown else current, False))
    return position


def fragments(data: Buffer, start: int, stop: int, encoding: Encoding) -> Iterator[Element]:
    """Items of encapsulated pixel data, the offset table first (PS3.5 §A.4)."""
    position = start
    while True:
        item = read_element(data, position, stop, encoding)
        if item.tag == SEQUENCE_END:
            return
        if item.tag != ITEM or item.length == UNDEFINED:
            raise MalformedObject(
                "Encapsulated pixel data consists of items of stated length (PS3.5 §A.4); got "
                f"tag {item.tag:08X}, length {item.length:#x} at byte {position}."
            )
        yield item
        position = item.offset + item.length


def skip_fragments(data: Buffer, start: int, stop: int, encoding: Encoding) -> int:
    """Position after the sequence delimiter of encapsulated pixel data."""
    position = start
    for item in fragments(data, start, stop, encoding):
        position = item.offset + item.length
    return position + 8


class Part10:
    """A Part 10 file, mapped, or its bytes; use as a context manager.

    Raises
    ------
    MalformedObject
        There is no ``DICM`` prefix or no File Meta Information (PS3.10 §7.1).
    LimitExceeded
        A deflated dataset grows past 100 times its size, or past 1 GiB.
    """

    def __init__(self, source: Path | bytes) -> None:
        self.data: Buffer = source if isinstance(source, bytes) else _mapped(source)
        if self.data[128:132] != b"DICM":
            raise MalformedObject("A Part 10 file has DICM at byte 128 (PS3.10 §7.1).")
        self.size = len(self.data)
        explicit = Encoding(True, True)
        self.meta: dict[int, str] = {}
        position = 132
        while self.data[position : position + 2] == b"\x02\x00":
            element = read_element(self.data, position, self.size, explicit)
            if element.length == UNDEFINED:
                break
            position = element.offset + element.length
            if element.vr in ("UI", "SH", "AE"):
                raw = self.data[element.offset : position]
                self.meta[element.tag] = raw.decode("latin-1").strip("\0 ")
        self.transfer_syntax_uid = self.meta.get(0x00020010, IMPLICIT_LITTLE)
        self.start = position
        self.encoding = Encoding(
            self.transfer_syntax_uid != IMPLICIT_LITTLE, self.transfer_syntax_uid != EXPLICIT_BIG
        )
        if self.transfer_syntax_uid == DEFLATED:
            self.data = inflate(self.data[position:])
            self.start, self.size = 0, len(self.data)

    @property
    def is_native(self) -> bool:
        """Whether pixel data lies uncompressed."""
        return self.transfer_syntax_uid in NATIVE

    def elements(self, until: int = 0xFFFFFFFF) -> dict[int, Element]:
        """Top-level elements by tag, up to and with ``until``."""
        found: dict[int, Element] = {}
        for element in walk(self.data, self.start, self.size, self.encoding):
            found[element.tag] = element
            if element.tag >= until:
                break
        return found

    def __enter__(self) -> Part10:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.data, mmap.mmap):
            self.data.close()


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise MalformedObject("A Part 10 file is not empty (PS3.10 §7.1).") from error


def inflate(data: bytes) -> bytes:
    """A deflated dataset, inflated in bounded steps (PS3.5 §A.5)."""
    limit = min(INFLATE_LIMIT, max(len(data) * INFLATE_RATIO, 1024**2))
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = engine.decompress(data, limit + 1)
    except zlib.error as error:
        raise MalformedObject(f"The deflated dataset cannot be inflated: {error}.") from error
    if len(out) > limit:
        raise LimitExceeded(
            f"A deflated dataset may grow {INFLATE_RATIO} times and to {INFLATE_LIMIT} bytes; "
            "this one grows further. Send it uncompressed.",
            limit=limit,
        )
    return out


def _truncated(position: int) -> MalformedObject:
    return MalformedObject(
        f"Every element's length must fit into what holds it (PS3.5 §7.1); the one at byte "
        f"{position} does not. The object is truncated or damaged; send it again."
    )
