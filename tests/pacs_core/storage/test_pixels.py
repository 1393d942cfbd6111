"""Code streams that disagree with the header are refused before any decoder sees them."""

from __future__ import annotations

import io
from collections.abc import Callable
from struct import pack

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from ennead.errors import UnusableObject
from ennead_pacs.ingest import Ingest

MakeObject = Callable[..., bytes]
J2K, JPEG_LS, JPEG = JPEG2000Lossless, JPEGLSLossless, "1.2.840.10008.1.2.4.50"


def compressed(part10: bytes, syntax: str, frames: list[bytes] | None = None) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(part10))
    if frames is None:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture
def image(make_object: MakeObject) -> bytes:
    pixels = np.arange(4096, dtype=np.uint16).tobytes()
    return make_object(1, Rows=64, Columns=64, PixelData=pixels)


@pytest.mark.parametrize("syntax", [J2K, JPEG_LS, RLELossless])
def test_honest_code_streams_are_stored(ingest: Ingest, image: bytes, syntax: str) -> None:
    assert ingest.store(compressed(image, syntax), source="test").stored


@pytest.mark.parametrize("syntax", [J2K, JPEG_LS])
def test_another_size_is_refused(ingest: Ingest, image: bytes, syntax: str) -> None:
    data = compressed(image, syntax)
    rows = b"\x28\x00\x10\x00US\x02\x00" + pack("<H", 64)
    assert rows in data
    with pytest.raises(UnusableObject, match="64 x 64"):
        ingest.store(data.replace(rows, rows[:-2] + pack("<H", 32)), source="test")


def test_a_jpeg_2000_header_of_sixty_thousand_squared(ingest: Ingest, image: bytes) -> None:
    stream = b"\xff\x4f\xff\x51" + pack(">HHIIII", 41, 0, 60_000, 60_000, 0, 0) + bytes(100)
    with pytest.raises(UnusableObject, match="60000 x 60000"):
        ingest.store(compressed(image, J2K, [stream]), source="test")


def test_a_baseline_jpeg_header(ingest: Ingest, image: bytes) -> None:
    def jpeg(rows: int, columns: int) -> bytes:
        segment = b"\xff\xe0\x00\x04ab"
        frame = b"\xff\xc0" + pack(">HBHHB", 11, 8, rows, columns, 1) + b"\x01\x11\x00"
        return b"\xff\xd8" + segment + frame + b"\xff\xd9"

    with pytest.raises(UnusableObject, match="65000 x 64"):
        ingest.store(compressed(image, JPEG, [jpeg(65_000, 64)]), source="test")
    assert ingest.store(compressed(image, JPEG, [jpeg(64, 64)]), source="test").stored


@pytest.mark.parametrize(
    "offsets", [[0, 0], [64, 64], [64, 10_000], [100, 200], list(range(64, 79)), []]
)
def test_rle_offsets(ingest: Ingest, image: bytes, offsets: list[int]) -> None:
    count = len(offsets) + (len(offsets) == 15)
    header = pack("<I", count) + b"".join(pack("<I", o) for o in offsets)
    frame = header.ljust(64, b"\0") + bytes(400)
    with pytest.raises(UnusableObject, match="RLE"):
        ingest.store(compressed(image, RLELossless, [frame]), source="test")
