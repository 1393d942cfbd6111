"""Decoding: every classic transfer syntax against uncompressed pixels and dcmtk."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import (
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from ennead.errors import NotFound, Undecodable
from ennead_pacs.rendering import decode_frames
from ennead_pacs.rendering.picture import PNG, encode_picture, frame_image

Make = Callable[..., list[Path]]

DCM2PNM = "/usr/bin/dcmj2pnm"
DCMDJPEG = "/usr/bin/dcmdjpeg"
SYNTAXES = [ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("intercept", [-1024.0, 0.0])
def test_lossless_syntaxes_give_the_stored_values(
    series_of: Make, syntax: str, intercept: float
) -> None:
    """Intercept 0 makes the stored values signed."""
    (plain,) = series_of(1, rescale_intercept=intercept)
    expected = pydicom.dcmread(plain).pixel_array
    assert expected.dtype == (np.int16 if intercept == 0 else np.uint16)
    decoded = decode_frames(series_of(1, rescale_intercept=intercept, transfer_syntax=syntax)[0])
    assert decoded.values.dtype == expected.dtype
    np.testing.assert_array_equal(decoded.values, expected[np.newaxis])
    assert not decoded.values.flags.writeable


def test_frames_are_chosen_by_number(series_of: Make) -> None:
    (path,) = series_of(1)
    dataset = pydicom.dcmread(path)
    values = np.arange(4 * 6, dtype=np.uint16).reshape(4, 2, 3)
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = values.shape
    dataset.PixelData = values.tobytes()
    dataset.save_as(path)
    np.testing.assert_array_equal(decode_frames(path).values, values)
    np.testing.assert_array_equal(decode_frames(path, frames=(2, 0)).values, values[[2, 0]])
    with pytest.raises(NotFound, match="1 to 4"):
        decode_frames(path, frames=(4,))
    with pytest.raises(Undecodable, match="may decode 47 bytes"):
        decode_frames(path, limit_bytes=47)


def test_only_stored_bits_count(series_of: Make) -> None:
    """12 of 16 bits, with an overlay in the upper four (PS3.5 §8.1.1); then signed."""
    (path,) = series_of(1)
    dataset = pydicom.dcmread(path)
    dataset.BitsStored, dataset.HighBit = 12, 11
    true = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 4
    dataset.PixelData = (true | 0x9000).tobytes()
    dataset.save_as(path)
    np.testing.assert_array_equal(decode_frames(path).values[0], true)
    dataset.PixelRepresentation = 1
    dataset.save_as(path)
    signed = np.where(true >= 2048, true.astype(int) - 4096, true)
    np.testing.assert_array_equal(decode_frames(path).values[0], signed)


def test_bitmaps_and_planar_colour(series_of: Make) -> None:
    (path,) = series_of(1)
    dataset = pydicom.dcmread(path)
    bits = np.random.default_rng(2).integers(0, 2, (3, 5, 7), dtype=np.uint8)
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = bits.shape
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset.save_as(path)
    np.testing.assert_array_equal(decode_frames(path).values, bits)
    rgb = np.random.default_rng(3).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    del dataset.NumberOfFrames
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rgb.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PlanarConfiguration = 7, 1
    dataset.PhotometricInterpretation = "RGB"
    dataset.PixelData = rgb.transpose(2, 0, 1).tobytes()
    dataset.save_as(path)
    np.testing.assert_array_equal(decode_frames(path).values[0], rgb)


@pytest.fixture(scope="module")
def syntaxes(test_data: Path) -> Path:
    return test_data / "ai" / "cornerstone_syntaxes"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2", 0),
        ("DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99", 0),
        ("LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2", 0),
        ("JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90", 0),
        ("JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91", 5),
        ("JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80", 0),
        ("JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81", 2),
        ("JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57", 0),
        ("JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70", 0),
        ("RLELosslessTransferSyntax_1.2.840.10008.1.2.5", 0),
    ],
)
def test_one_slice_in_every_syntax(syntaxes: Path, name: str, tolerance: int) -> None:
    original = "CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm"
    expected = pydicom.dcmread(syntaxes / original).pixel_array.astype(int)
    found = decode_frames(syntaxes / f"CTImage.dcm_{name}.dcm").values[0]
    assert np.abs(found - expected).max() <= tolerance


@pytest.mark.realdata
@pytest.mark.peer(DCM2PNM)
@pytest.mark.parametrize(
    "name",
    [
        "CTImage.dcm_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm",
        "CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm",
        "CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm",
        "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
        "CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm",
        "CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm",
        "CTImage.dcm_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm",
        "TestPattern_JPEG-Baseline_YBR422.dcm",
        "TestPattern_JPEG-Baseline_YBRFull.dcm",
        "TestPattern_JPEG-Lossless_RGB.dcm",
        "TestPattern_Palette.dcm",
        "TestPattern_Palette_16.dcm",
        "TestPattern_RGB.dcm",
        "US-YBR_FULL_422-EVRLE.dcm",
    ],
)
def test_pictures_look_as_dcmtk_renders_them(syntaxes: Path, name: str, tmp_path: Path) -> None:
    image = Image.open(io.BytesIO(encode_picture(frame_image(syntaxes / name, 0), PNG)))
    out = tmp_path / "dcmtk.png"
    how = ["--use-window", "1"] if image.mode == "L" else []
    command = [DCM2PNM, "--write-png", "--frame", "1", *how, str(syntaxes / name), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    theirs: np.ndarray[Any, Any] = np.asarray(Image.open(out).convert(image.mode)).astype(int)
    assert np.abs(np.asarray(image).astype(int) - theirs).max() <= 1


@pytest.mark.realdata
@pytest.mark.peer(DCMDJPEG)
@pytest.mark.parametrize(
    "name",
    [
        "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm",
        "CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm",
        "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
    ],
)
def test_twelve_bit_jpeg_and_fragments_as_dcmtk_decodes_them(
    syntaxes: Path, name: str, tmp_path: Path
) -> None:
    out = tmp_path / "plain.dcm"
    subprocess.run([DCMDJPEG, str(syntaxes / name), str(out)], check=True, capture_output=True)
    theirs = pydicom.dcmread(out).pixel_array
    found = decode_frames(syntaxes / name).values
    np.testing.assert_array_equal(found, theirs.reshape(found.shape))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["JPEG-LS-Lossless", "JPEG-LS-NearLossless"])
def test_colour_patterns_without_a_dcmtk_decoder(syntaxes: Path, name: str) -> None:
    """dcmtk 3.6.7's renderer lacks JPEG-LS; the uncompressed pattern is the truth."""
    expected = np.asarray(frame_image(syntaxes / "TestPattern_RGB.dcm", 0)).astype(int)
    found = np.asarray(frame_image(syntaxes / f"TestPattern_{name}.dcm", 0)).astype(int)
    assert np.abs(found - expected).max() <= (0 if name.endswith("-Lossless") else 10)
