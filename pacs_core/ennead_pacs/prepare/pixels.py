"""What pixel data an instance has, and where each frame lies in its file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from ennead.errors import MalformedObject, Undecodable, UnusableObject
from ennead_pacs.prepare.part10 import (
    PIXEL_DATA,
    UNDEFINED,
    Element,
    Part10,
    fragments,
)

FLOAT_PIXEL_DATA: Final = 0x7FE00008
DOUBLE_PIXEL_DATA: Final = 0x7FE00009
EXTENDED_OFFSETS: Final = 0x7FE00001
EXTENDED_LENGTHS: Final = 0x7FE00002
#: Code streams begin with one of these: JPEG and JPEG-LS, JPEG 2000, JP2 box.
_STREAM_STARTS: Final = (b"\xff\xd8", b"\xff\x4f", b"\x00\x00\x00\x0cjP")
_FRAMES_LIMIT: Final = 1_000_000

Span = tuple[int, int]
"""Offset and length in the buffer."""


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Image Pixel module (PS3.3 §C.7.6.3) and the spans of the frames.

    ``frames[k]`` holds one span for uncompressed data, one per fragment otherwise;
    ``offsets_rebuilt`` says that an offset table was wrong and the fragments were scanned.
    """

    transfer_syntax_uid: str
    native: bool
    little: bool
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    floating: bool
    photometric: str
    planar: int
    frames: tuple[tuple[Span, ...], ...]
    offsets_rebuilt: bool = False

    @property
    def pixels_per_frame(self) -> int:
        """Rows × columns."""
        return self.rows * self.columns

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame; bits are rounded up to bytes."""
        if self.photometric == "YBR_FULL_422" and self.native:
            return self.pixels_per_frame * 2 * ((self.bits_allocated + 7) // 8)
        return (self.pixels_per_frame * self.samples * self.bits_allocated + 7) // 8


def read_layout(file: Part10) -> PixelLayout | None:
    """The layout, or None for an object without pixel data.

    Raises
    ------
    UnusableObject
        Rows, columns or bits make no image (hostile values: 0, 2³¹ frames).
    MalformedObject
        The pixel data is shorter than they say.
    """
    elements = file.elements()
    pixel_data = next(
        (elements[t] for t in (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA) if t in elements),
        None,
    )
    if pixel_data is None or pixel_data.length == 0:
        return None
    reader = _Reader(file, elements)
    floating = pixel_data.tag != PIXEL_DATA
    rows, columns = reader.integer(0x00280010), reader.integer(0x00280011)
    samples = reader.integer(0x00280002) or 1
    allocated = {FLOAT_PIXEL_DATA: 32, DOUBLE_PIXEL_DATA: 64}.get(
        pixel_data.tag, reader.integer(0x00280100)
    )
    stored = allocated if floating else reader.integer(0x00280101) or allocated
    count = reader.integer(0x00280008) or 1
    if not (rows and columns and samples in (1, 3, 4) and allocated in (1, 8, 16, 32, 64)):
        raise UnusableObject(
            "An image needs Rows and Columns above 0, 1, 3 or 4 samples and 1, 8, 16, 32 or 64 "
            f"bits (PS3.3 §C.7.6.3); got {rows} x {columns}, {samples} samples, {allocated} bits. "
            "The object is kept and can be retrieved as it is."
        )
    if not 0 < count <= _FRAMES_LIMIT or stored > allocated:
        raise UnusableObject(
            f"An image has 1 to {_FRAMES_LIMIT} frames and stores no more bits than it allocates; "
            f"got {count} frames, {stored} of {allocated} bits."
        )
    native = pixel_data.length != UNDEFINED
    high = elements.get(0x00280102)
    layout = PixelLayout(
        transfer_syntax_uid=file.transfer_syntax_uid,
        native=native,
        little=file.encoding.little,
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=reader.integer(0x00280102) if high else stored - 1,
        signed=reader.integer(0x00280103) == 1,
        floating=floating,
        photometric=reader.text(0x00280004) or "MONOCHROME2",
        planar=reader.integer(0x00280006),
        frames=(),
    )
    if native:
        return replace(layout, frames=tuple(_native_frames(layout, pixel_data, count)))
    spans, rebuilt = _encapsulated_frames(file, elements, pixel_data, count)
    return replace(layout, frames=tuple(spans), offsets_rebuilt=rebuilt)


class _Reader:
    """Small values of top-level elements."""

    def __init__(self, file: Part10, elements: dict[int, Element]) -> None:
        self.file, self.elements = file, elements

    def integer(self, tag: int) -> int:
        element = self.elements.get(tag)
        if element is None or not 0 < element.length <= 64:
            return 0
        raw = self.file.data[element.offset : element.offset + element.length]
        if element.vr == "IS":
            try:
                return int(raw.split(b"\\")[0].strip(b"\0 "))
            except ValueError:
                return 0
        if len(raw) == 2:
            return int(struct.unpack(self.file.encoding.order + "H", raw)[0])
        return 0

    def text(self, tag: int) -> str:
        element = self.elements.get(tag)
        if element is None or not 0 < element.length <= 64:
            return ""
        raw = self.file.data[element.offset : element.offset + element.length]
        return raw.decode("latin-1").strip("\0 ")


def _native_frames(layout: PixelLayout, pixel_data: Element, count: int) -> list[tuple[Span, ...]]:
    length = layout.frame_bytes
    needed = length * count
    if layout.bits_allocated == 1:
        # Frames of a bitmap are packed without padding (PS3.5 §8.1.1): byte spans overlap.
        bits = layout.pixels_per_frame * layout.samples
        needed = (bits * count + 7) // 8
        ends = [(k * bits // 8, ((k + 1) * bits + 7) // 8) for k in range(count)]
    else:
        ends = [(k * length, (k + 1) * length) for k in range(count)]
    if needed > pixel_data.length:
        raise MalformedObject(
            f"{count} frames of {layout.rows} x {layout.columns} need {needed} bytes of pixel data "
            f"(PS3.5 §8.1); there are {pixel_data.length}. Send the object again."
        )
    return [((pixel_data.offset + a, b - a),) for a, b in ends]


def _encapsulated_frames(
    file: Part10, elements: dict[int, Element], pixel_data: Element, count: int
) -> tuple[list[tuple[Span, ...]], bool]:
    """Frames from the extended or basic offset table, or by scanning (PS3.5 §A.4)."""
    table, *items = fragments(file.data, pixel_data.offset, file.size, file.encoding)
    if not items:
        raise MalformedObject("Encapsulated pixel data has an offset table but no fragment.")
    spans = [(i.offset, i.length) for i in items]
    if count == 1:
        return [tuple(spans)], False
    if len(spans) == count:
        return [(span,) for span in spans], False
    starts = {i.offset - items[0].offset: n for n, i in enumerate(items)}
    offsets = _extended_offsets(file, elements) or _basic_offsets(file, table)
    if offsets is not None and len(offsets) == count:
        first = [starts.get(offset, -1) for offset in offsets]
        if first[0] == 0 and all(a < b for a, b in pairwise(first)):
            return _group(spans, first), False
    first = [
        n
        for n, (offset, _) in enumerate(spans)
        if file.data[offset : offset + 12].startswith(_STREAM_STARTS)
    ]
    if len(first) == count and first[0] == 0:
        return _group(spans, first), offsets is not None
    raise MalformedObject(
        f"{count} frames were announced; the {len(spans)} fragments and their offset table give "
        f"no such division (PS3.5 §A.4). The object can be retrieved as it is."
    )


def _group(spans: Sequence[Span], first: Sequence[int]) -> list[tuple[Span, ...]]:
    ends = [*first[1:], len(spans)]
    return [tuple(spans[a:b]) for a, b in zip(first, ends, strict=True)]


def _basic_offsets(file: Part10, table: Element) -> list[int] | None:
    if table.length < 8 or table.length % 4:
        return None
    return list(struct.unpack_from(f"<{table.length // 4}L", file.data, table.offset))


def _extended_offsets(file: Part10, elements: dict[int, Element]) -> list[int] | None:
    element = elements.get(EXTENDED_OFFSETS)
    if element is None or element.length % 8 or not 0 < element.length < UNDEFINED:
        return None
    return list(struct.unpack_from(f"<{element.length // 8}Q", file.data, element.offset))


def check_budget(layout: PixelLayout, frames: int, limit: int) -> None:
    """Refuse before anything is allocated; Python integers do not overflow.

    Raises
    ------
    Undecodable
        ``frames`` decoded frames need more than ``limit`` bytes.
    """
    needed = layout.pixels_per_frame * layout.samples * max(1, layout.bits_allocated // 8) * frames
    if needed > limit:
        raise Undecodable(
            f"One request may decode {limit} bytes of pixel data (setting "
            f"dicom.decode_limit_bytes); {frames} frames of {layout.rows} x {layout.columns} "
            f"need {needed}. Ask for fewer frames.",
            limit=limit,
            needed=needed,
        )
