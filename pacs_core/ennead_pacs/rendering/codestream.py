"""What a code stream says of itself, compared with the header before any decoder sees it.

A decoder allocates by the code stream, not by Rows and Columns: a stream of 140 bytes can ask for
gigabytes. Nothing here allocates.
"""

from __future__ import annotations

import itertools
import struct
from typing import Final, NamedTuple

from ennead.errors import CodestreamMismatch, Undecodable
from ennead_pacs.prepare.pixels import PixelLayout

RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
_JPEG_2000: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
_JPEG: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 57, 70, 80, 81))
DECODABLE: Final = _JPEG | _JPEG_2000 | {RLE_LOSSLESS}

#: Start-of-frame markers: C0-CF but the Huffman, extension and arithmetic tables; F7 is JPEG-LS.
_START_OF_FRAME: Final = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
_TILES_LIMIT: Final = 65_535


class CodestreamSize(NamedTuple):
    """Size in pixels and components of one code stream."""

    rows: int
    columns: int
    components: int


def check_codestream(layout: PixelLayout, data: bytes) -> None:
    """Refuse a frame whose code stream disagrees with its header.

    Raises
    ------
    CodestreamMismatch
        Rows, columns or samples differ, or the RLE offsets make no sense.
    Undecodable
        The transfer syntax has no decoder, or the code stream has no header.
    """
    syntax = layout.transfer_syntax_uid
    if syntax == RLE_LOSSLESS:
        _check_rle(layout, data)
        return
    if syntax not in DECODABLE:
        raise Undecodable(
            f"There is no decoder for transfer syntax {syntax}; retrieve the instance as it is.",
            transfer_syntax_uid=syntax,
        )
    size = jpeg_2000_size(data) if syntax in _JPEG_2000 else jpeg_size(data)
    if size is None:
        raise Undecodable("The frame holds no start of a code stream; retrieve it as it is.")
    wanted = CodestreamSize(layout.rows, layout.columns, layout.samples)
    if size != wanted:
        raise _mismatch(f"the code stream holds {tuple(size)}, the header says {tuple(wanted)}")


def jpeg_size(data: bytes) -> CodestreamSize | None:
    """From the frame header of JPEG (ITU-T T.81 §B.2.2) or JPEG-LS (T.87 §C.2.2)."""
    if data[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in (0x01, 0xD8) or 0xD0 <= marker <= 0xD7:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _START_OF_FRAME:
            if position + 10 > len(data):
                return None
            rows, columns, components = struct.unpack_from(">HHB", data, position + 5)
            return CodestreamSize(rows, columns, components)
        if marker in (0xD9, 0xDA) or length < 2:
            return None
        position += 2 + length
    return None


def jpeg_2000_size(data: bytes) -> CodestreamSize | None:
    """From the SIZ segment (ITU-T T.800 §A.5.1), which follows the start of code stream at once."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or start + 42 > len(data):
        return None
    x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack_from(
        ">8LH", data, start + 8
    )
    if tile_x == 0 or tile_y == 0 or x <= x0 or y <= y0:
        raise _mismatch("its SIZ segment describes no image")
    tiles = -(-(x - min(tile_x0, x)) // tile_x) * -(-(y - min(tile_y0, y)) // tile_y)
    if tiles > _TILES_LIMIT:
        raise _mismatch(f"it has {tiles} tiles (limit {_TILES_LIMIT})")
    return CodestreamSize(y - y0, x - x0, components)


def _check_rle(layout: PixelLayout, data: bytes) -> None:
    """RLE header: as many segments as bytes per pixel, in order and inside (PS3.5 §G.5)."""
    if len(data) < 64:
        raise _mismatch(f"an RLE frame has a header of 64 bytes; this one has {len(data)} in all")
    count, *offsets = struct.unpack_from("<16L", data)
    if layout.bits_allocated % 8:
        raise Undecodable("RLE data of single bits cannot be decoded; retrieve it as it is.")
    wanted = layout.samples * layout.bits_allocated // 8
    used = offsets[:count] if count <= 15 else []
    inside = [64, *used[1:], len(data)] if used else []
    if count != wanted or used[0] != 64 or any(not a < b for a, b in itertools.pairwise(inside)):
        raise _mismatch(
            f"RLE needs {wanted} segments in order from byte 64; its header says {count} at {used}"
        )
    # A run of two bytes gives at most 128.
    for start, stop in itertools.pairwise(inside):
        if (stop - start) * 64 < layout.pixels_per_frame:
            raise _mismatch(
                f"an RLE segment of {stop - start} bytes cannot hold {layout.rows} x "
                f"{layout.columns} pixels"
            )


def _mismatch(what: str) -> CodestreamMismatch:
    return CodestreamMismatch(
        f"Code stream and image header must describe the same image: {what}. It is not decoded; "
        "retrieve the instance as it is and ask the sender to correct it."
    )
