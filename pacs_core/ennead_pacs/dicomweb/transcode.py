"""A stored instance in Explicit VR Little Endian, for those who ask for just that."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from ennead.errors import Undecodable
from ennead_pacs.rendering.decode import decode_frames

EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"


def to_explicit_little(path: Path, limit_bytes: int) -> bytes:
    """The Part 10 bytes of the instance, its pixel data uncompressed.

    Raises
    ------
    Undecodable, CodestreamMismatch
        The pixel data cannot be decoded, or is larger than ``limit_bytes``.
    """
    dataset = pydicom.dcmread(path)
    syntax = dataset.file_meta.TransferSyntaxUID
    if "PixelData" in dataset and syntax.is_encapsulated:
        decoded = decode_frames(path, limit_bytes=limit_bytes)
        values = decoded.values
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        raw = np.ascontiguousarray(little).tobytes()
        dataset.PixelData = raw + b"\0" * (len(raw) % 2)
        dataset["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
        dataset["PixelData"].is_undefined_length = False
        dataset.PhotometricInterpretation = decoded.photometric
        if decoded.layout.samples > 1:
            dataset.PlanarConfiguration = 0
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                delattr(dataset, keyword)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    try:
        dataset.save_as(out, implicit_vr=False, little_endian=True)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Undecodable(
            "The instance cannot be written in Explicit VR Little Endian "
            f"({type(error).__name__}); ask for transfer-syntax=*."
        ) from error
    return out.getvalue()
