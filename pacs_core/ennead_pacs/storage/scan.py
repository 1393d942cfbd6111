"""Structural pre-scan of a dataset while it streams past.

Every length is compared with the bytes present, sequences are followed without recursion, and the
few attributes the index needs are kept. Nothing is decoded and no value is allocated from a length
a peer announced.
"""

from __future__ import annotations

from collections.abc import Container
from struct import Struct
from typing import Final

from ennead.errors import MalformedObject
from ennead_pacs.storage.transfer_syntaxes import TransferSyntax

PIXEL_DATA: Final = 0x7FE00010
# Float, Double Float and integer pixel data; Pixel Data Provider URL.
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA, 0x00287FE0})
#: Longer than any value the index takes may be.
VALUE_LIMIT: Final = 1024
_CODESTREAM: Final = 2048
_UNDEFINED: Final = 0xFFFFFFFF
_FOREVER: Final = 1 << 62

_SHORT = frozenset(
    v.encode() for v in "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_LONG = frozenset(v.encode() for v in "OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())

# What the top of the stack is.
_DATASET, _ITEM, _SEQUENCE, _FRAGMENTS = range(4)


class DatasetScanner:
    """Walks one dataset; ``feed`` what arrives, then ``finish``.

    Parameters
    ----------
    syntax : TransferSyntax
        How the bytes are encoded.
    wanted : container of int
        Tags at the top level whose value is kept in ``values``.
    depth_limit : int
        Deepest nesting of sequences.
    value_limit : int
        Longest value that is kept; longer ones are remembered in ``overlong``.

    Attributes
    ----------
    values, vrs : dict
        Tag → value bytes, tag → VR (``b""`` in implicit VR) of the wanted attributes.
    overlong : set of int
        Wanted tags whose value passed the limit.
    has_pixels : bool
        Pixel data of any kind is there, or a URL that provides it.
    pixel_length : int or None
        Length of native PixelData; None when absent or encapsulated.
    codestream : bytes or None
        First bytes of the first fragment after the offset table.
    """

    def __init__(
        self,
        syntax: TransferSyntax,
        wanted: Container[int],
        depth_limit: int,
        value_limit: int = VALUE_LIMIT,
    ) -> None:
        order = ">" if syntax.big_endian else "<"
        self._explicit = Struct(order + "HH2sH").unpack_from
        self._implicit = Struct(order + "HHI").unpack_from
        self._long = Struct(order + "I").unpack_from
        self._syntax = syntax
        self._wanted = wanted
        self._depth_limit = depth_limit
        self._value_limit = value_limit
        self._carry = b""
        self._skip = 0
        self._position = 0  # offset of the next byte to be parsed
        # (kind, end, implicit, undefined length) of every open container, innermost last; the
        # end of one of undefined length is that of the container around it.
        self._stack: list[tuple[int, int, bool, bool]] = [
            (_DATASET, _FOREVER, syntax.implicit, False)
        ]
        self._fragment = 0
        self._last_tag = -1
        self.values: dict[int, bytes] = {}
        self.vrs: dict[int, bytes] = {}
        self.overlong: set[int] = set()
        self.has_pixels = False
        self.pixel_length: int | None = None
        self.encapsulated = False
        self.codestream: bytes | None = None
        self.codestream_length = 0

    @property
    def passed(self) -> int:
        """The last top-level tag seen; -1 before the first."""
        return self._last_tag

    def feed(self, data: memoryview) -> None:
        """Take the next bytes; raises MalformedObject."""
        size = len(data)
        if self._skip >= size:
            self._skip -= size
            self._position += size
            return
        if self._carry:
            data = memoryview(self._carry + bytes(data))
            size = len(data)
            self._carry = b""
        offset = self._skip
        self._position += offset
        self._skip = 0
        offset = self._walk(data, offset, size)
        if offset > size:
            self._skip = offset - size
            self._position -= self._skip
        elif offset < size:
            self._carry = bytes(data[offset:])

    def finish(self) -> None:
        """All bytes were fed; raises MalformedObject when something is missing."""
        if self._skip or self._carry:
            missing = f"; {self._skip} more bytes were announced" if self._skip else ""
            raise MalformedObject(
                f"The dataset ends inside an element at byte {self._position}{missing}. "
                "Send the whole object again."
            )
        self._close_finished()
        if len(self._stack) != 1:
            raise MalformedObject(
                f"The dataset ends with {len(self._stack) - 1} sequences or items still open. "
                "Send the whole object again."
            )

    def _close_finished(self) -> None:
        stack = self._stack
        while stack[-1][1] <= self._position:
            if stack[-1][3]:
                raise MalformedObject(
                    f"A sequence or item of undefined length is not closed at byte "
                    f"{self._position}, where the one around it ends. Correct the sender."
                )
            stack.pop()

    def _walk(self, data: memoryview, offset: int, size: int) -> int:
        """Parse from ``offset``; returns where to go on, beyond ``size`` to skip."""
        base = self._position - offset
        stack = self._stack
        explicit, implicit_header, long = self._explicit, self._implicit, self._long
        wanted, values = self._wanted, self.values
        while True:
            kind, end, implicit, undefined = stack[-1]
            if base + offset >= end:
                self._position = base + offset
                self._close_finished()
                continue
            if offset + 8 > size:
                break
            if kind >= _SEQUENCE:
                following = self._item(data, offset, size, base)
                if following < 0:
                    break
                offset = following
                continue
            header = 8
            vr = b""
            if implicit:
                group, element, length = implicit_header(data, offset)
            else:
                group, element, vr, length = explicit(data, offset)
                if vr in _SHORT:
                    pass
                elif group == 0xFFFE:
                    length = long(data, offset + 4)[0]
                elif vr in _LONG or (vr.isalpha() and vr.isupper()):
                    if offset + 12 > size:
                        break
                    length = long(data, offset + 8)[0]
                    header = 12
                else:
                    raise MalformedObject(
                        f"Byte {base + offset} should start an element of explicit VR, but "
                        f"({group:04X},{element:04X}) has no VR. Check the transfer syntax."
                    )
            tag = group << 16 | element
            if group == 0xFFFE:
                if element != 0xE00D or kind != _ITEM or length or not undefined:
                    raise self._misplaced(tag, base + offset)
                stack.pop()
                offset += 8
                continue
            if group <= 2:
                raise self._misplaced(tag, base + offset)
            if length == _UNDEFINED or vr == b"SQ" or (implicit and tag in _sequence_tags()):
                self._open(tag, vr, length, base + offset + header, implicit)
                if kind == _DATASET:
                    self._last_tag = tag
                offset += header
                continue
            if length & 1:
                raise MalformedObject(
                    f"({group:04X},{element:04X}) has the odd length {length}; PS3.5 §7.1.1 "
                    "wants even lengths. Correct the sender."
                )
            if base + offset + header + length > end:
                raise MalformedObject(
                    f"({group:04X},{element:04X}) at byte {base + offset} is longer than the "
                    f"item that holds it ({length} bytes). Correct the sender."
                )
            if kind == _DATASET:
                if tag in wanted:
                    if length > self._value_limit:
                        self.overlong.add(tag)
                    elif offset + header + length > size:
                        break
                    else:
                        start = offset + header
                        values[tag] = bytes(data[start : start + length])
                        self.vrs[tag] = vr
                elif tag in _PIXELS:
                    self.has_pixels = True
                    if tag == PIXEL_DATA:
                        self.pixel_length = length
                self._last_tag = tag
            offset += header + length
            if offset >= size:
                break
        self._position = base + offset
        return offset

    def _open(self, tag: int, vr: bytes, length: int, start: int, implicit: bool) -> None:
        """Enter a sequence or encapsulated pixel data whose value starts at ``start``."""
        undefined = length == _UNDEFINED
        outer = self._stack[-1][1]
        end = outer if undefined else start + length
        if end > outer:
            raise MalformedObject(
                f"Sequence ({tag >> 16:04X},{tag & 0xFFFF:04X}) is longer than the item that "
                f"holds it ({length} bytes). Correct the sender."
            )
        if vr in (b"OB", b"OW") or (tag == PIXEL_DATA and vr != b"SQ"):
            if tag == PIXEL_DATA and not self._syntax.encapsulated:
                raise MalformedObject(
                    "PixelData has an undefined length, which only encapsulated transfer "
                    f"syntaxes may have (PS3.5 §A.4); this is {self._syntax.name}."
                )
            if tag == PIXEL_DATA:
                self.encapsulated = self.has_pixels = True
            self._fragment = 0
            self._stack.append((_FRAGMENTS, end, implicit, undefined))
            return
        if len(self._stack) > 2 * self._depth_limit:
            raise MalformedObject(
                f"Sequences nest deeper than {self._depth_limit} (dicom.sequence_depth_limit)."
            )
        # A UN value of undefined length is implicit VR little endian inside (PS3.5 §6.2.2).
        self._stack.append((_SEQUENCE, end, implicit or vr == b"UN", undefined))

    def _item(self, data: memoryview, offset: int, size: int, base: int) -> int:
        """One item, fragment or delimiter; returns the next offset, or -1 to wait for bytes."""
        group, element, length = self._implicit(data, offset)
        tag = group << 16 | element
        kind, end, implicit, undefined = self._stack[-1]
        start = base + offset + 8
        if tag == 0xFFFEE0DD and undefined and length == 0:
            self._stack.pop()
            return offset + 8
        if tag != 0xFFFEE000:
            raise self._misplaced(tag, base + offset)
        if length != _UNDEFINED and start + length > end:
            raise MalformedObject(
                f"An item at byte {base + offset} is longer than its sequence ({length} bytes)."
            )
        if kind == _SEQUENCE:
            open_ended = length == _UNDEFINED
            item_end = end if open_ended else start + length
            self._stack.append((_ITEM, item_end, implicit, open_ended))
            return offset + 8
        if length == _UNDEFINED or length & 1:
            raise MalformedObject(
                f"A fragment at byte {base + offset} has the length {length:#x}; PS3.5 §A.4 wants "
                "an even, explicit length. Send the whole object again."
            )
        if self._fragment == 1 and self.codestream is None:
            enough = min(length, _CODESTREAM)
            if offset + 8 + enough > size:
                return -1
            self.codestream = bytes(data[offset + 8 : offset + 8 + enough])
            self.codestream_length = length
        self._fragment += 1
        return offset + 8 + length

    @staticmethod
    def _misplaced(tag: int, position: int) -> MalformedObject:
        return MalformedObject(
            f"({tag >> 16:04X},{tag & 0xFFFF:04X}) may not stand at byte {position} of a dataset "
            "(PS3.5 §7). Check the transfer syntax and send the object again."
        )


_SEQUENCES: frozenset[int] | None = None


def _sequence_tags() -> frozenset[int]:
    """Standard tags of VR SQ, which implicit VR does not tell."""
    global _SEQUENCES
    if _SEQUENCES is None:
        from pydicom.datadict import DicomDictionary

        _SEQUENCES = frozenset(tag for tag, row in DicomDictionary.items() if row[0] == "SQ")
    return _SEQUENCES
