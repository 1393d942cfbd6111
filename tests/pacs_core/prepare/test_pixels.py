from __future__ import annotations

import io
import struct

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from ennead.errors import MalformedObject, Undecodable, UnusableObject
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.prepare.pixels import PixelLayout, check_budget, read_layout


def image(**attributes: object) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = attributes.pop("syntax", ExplicitVRLittleEndian)
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 4, 6, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(48)
    for keyword, value in attributes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def layout(data: bytes) -> PixelLayout | None:
    with Part10(data) as file:
        return read_layout(file)


def spans(data: bytes) -> list[bytes]:
    found = layout(data)
    assert found is not None
    return [b"".join(data[o : o + n] for o, n in frame) for frame in found.frames]


def test_uncompressed_frames_lie_one_after_another() -> None:
    pixels = bytes(range(144))
    data = image(PixelData=pixels, NumberOfFrames=3)
    assert spans(data) == [pixels[:48], pixels[48:96], pixels[96:]]
    found = layout(data)
    assert found is not None
    assert (found.rows, found.columns, found.bits_stored, found.high_bit) == (4, 6, 12, 11)


def test_bitmap_frames_need_not_end_at_bytes() -> None:
    # 3 x 3 pixels: frame 1 begins in the second byte
    data = image(
        Rows=3, Columns=3, BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=2,
        PixelData=b"\xff\x01\x00\x00",
    )  # fmt: skip
    found = layout(data)
    assert found is not None
    base = found.frames[0][0][0]
    assert [[(o - base, n) for o, n in f] for f in found.frames] == [[(0, 2)], [(1, 2)]]


FRAMES = [b"\xff\xd8" + bytes([n]) * (2 * n + 2) for n in range(1, 4)]


@pytest.mark.parametrize("per_frame", [1, 2, 3])
def test_basic_offset_table(per_frame: int) -> None:
    data = image(syntax=JPEGLSLossless, NumberOfFrames=3, PixelData=encapsulate(FRAMES, per_frame))
    assert spans(data) == FRAMES


def test_extended_offset_table() -> None:
    pixels, offsets, lengths = encapsulate_extended(FRAMES)
    data = image(
        syntax=JPEGLSLossless,
        NumberOfFrames=3,
        PixelData=pixels,
        ExtendedOffsetTable=offsets,
        ExtendedOffsetTableLengths=lengths,
    )
    assert spans(data) == FRAMES


def test_a_rebuilt_table_is_flagged() -> None:
    good = encapsulate(FRAMES, 2)
    bad = good[:12] + struct.pack("<L", 0xFFFF) + good[16:]
    data = image(syntax=JPEGLSLossless, NumberOfFrames=3, PixelData=bad)
    assert spans(data) == FRAMES
    found = layout(data)
    assert found is not None and found.offsets_rebuilt


def test_fragments_that_no_rule_divides_are_refused() -> None:
    data = image(
        syntax=JPEGLSLossless, NumberOfFrames=2, PixelData=encapsulate([b"ab", b"cd", b"ef"], 1)
    )
    with pytest.raises(MalformedObject, match="2 frames were announced; the 3 fragments"):
        layout(data)


def test_no_pixel_data_is_none() -> None:
    assert layout(image(PixelData=None)) is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"Rows": 0},
        {"Columns": None},
        {"SamplesPerPixel": 2},
        {"BitsAllocated": 12},
        {"BitsStored": 17},
        {"NumberOfFrames": 2**31 - 1},
        {"NumberOfFrames": -1},
    ],
)
def test_hostile_attributes(attributes: dict[str, object]) -> None:
    with pytest.raises(UnusableObject):
        layout(image(**attributes))


def test_pixel_data_shorter_than_announced() -> None:
    with pytest.raises(MalformedObject, match="need 144 bytes"):
        layout(image(NumberOfFrames=3))


def test_the_budget_is_computed_without_overflow() -> None:
    found = layout(
        image(syntax=JPEGLSLossless, Rows=65535, Columns=65535, PixelData=encapsulate(FRAMES[:1]))
    )
    assert found is not None
    with pytest.raises(Undecodable, match=str(65535 * 65535 * 2)):
        check_budget(found, 1, 512 * 1024**2)
    check_budget(found, 1, 65535 * 65535 * 2)
    assert pydicom.uid.UID(found.transfer_syntax_uid).is_encapsulated
