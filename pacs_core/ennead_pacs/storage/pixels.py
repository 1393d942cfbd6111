"""Whether the pixel data can be what the header says, before any decoder sees it."""

from __future__ import annotations

from operator import ge

from ennead.errors import UnusableObject
from ennead_pacs.storage.header import Header
from ennead_pacs.storage.scan import DatasetScanner

_J2K = b"\xff\x4f\xff\x51"
_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}


def check_pixels(scanner: DatasetScanner, header: Header, *, is_rle: bool) -> None:
    """Compare Rows, Columns, frames and bits with the pixel data present.

    Raises
    ------
    UnusableObject
        They disagree (C-STORE status A900H).
    """
    cut_off = not scanner.has_pixels and header.bits_allocated is not None
    if cut_off and _is_image(header.sop_class_uid):
        raise UnusableObject(
            "The image describes pixels (BitsAllocated) but holds none; it was cut off before "
            "PixelData. Send the whole object again."
        )
    if scanner.pixel_length is None and not scanner.encapsulated:
        return
    rows, columns, bits = header.rows or 0, header.columns or 0, header.bits_allocated or 0
    if not rows or not columns:
        raise UnusableObject(
            f"An object with PixelData needs Rows and Columns of at least 1; got {rows} and "
            f"{columns}. Correct the sender."
        )
    if bits not in (1, 8, 16, 32, 64):
        raise UnusableObject(f"BitsAllocated must be 1, 8, 16, 32 or 64; got {bits}.")
    if scanner.pixel_length is not None:
        _check_native(scanner.pixel_length, header, rows * columns, bits)
    elif scanner.codestream is not None:
        if is_rle:
            _check_rle(scanner.codestream, scanner.codestream_length)
        else:
            _check_codestream(scanner.codestream, rows, columns)


def _is_image(sop_class_uid: str) -> bool:
    from pydicom.uid import UID

    return "Image" in UID(sop_class_uid).name


def _check_native(length: int, header: Header, pixels: int, bits: int) -> None:
    samples = header.samples
    if header.photometric in (b"YBR_FULL_422", b"YBR_PARTIAL_422"):
        samples = 2
    elif header.photometric == b"YBR_PARTIAL_420":
        samples = 1
    needed = (pixels * samples * header.frames * bits + 7) // 8
    if length < needed:
        raise UnusableObject(
            f"PixelData has {length} bytes, but Rows, Columns, NumberOfFrames and BitsAllocated "
            f"ask for {needed}. Send the whole object again."
        )


def _check_codestream(data: bytes, rows: int, columns: int) -> None:
    size = _codestream_size(data)
    if size is not None and size != (rows, columns):
        raise UnusableObject(
            f"The compressed image is {size[0]} x {size[1]}, but Rows x Columns is "
            f"{rows} x {columns}; it would be decoded to the wrong size. Correct the sender."
        )


def _codestream_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 header announces; None if not seen."""
    if data[:4] == _J2K and len(data) >= 24:
        x1, y1, x0, y0 = (int.from_bytes(data[i : i + 4], "big") for i in (8, 12, 16, 20))
        return y1 - y0, x1 - x0
    if data[:2] != b"\xff\xd8":
        return None
    offset = 2
    while offset + 9 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker in _SOF:
            high = int.from_bytes(data[offset + 5 : offset + 7], "big")
            wide = int.from_bytes(data[offset + 7 : offset + 9], "big")
            return (high, wide) if high and wide else None  # 0: told later (DNL, LSE)
        if marker == 0xFF:
            offset += 1
            continue
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return None


def _check_rle(data: bytes, length: int) -> None:
    if len(data) < 64:
        raise UnusableObject(f"An RLE frame needs a header of 64 bytes (PS3.5 §G.5); got {length}.")
    count, *offsets = (int.from_bytes(data[i : i + 4], "little") for i in range(0, 64, 4))
    used = offsets[:count]
    ends = [*used[1:], length]
    if not 1 <= count <= 15 or used[0] != 64 or any(map(ge, used, ends)):
        raise UnusableObject(
            f"The RLE header names {count} segments at {used}, which do not lie one after the "
            f"other in {length} bytes (PS3.5 §G.5). Correct the sender."
        )
