"""A stored segment as the reader edited it."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ennead.contracts import Volume
from ennead.errors import InputError
from ennead.findings import Mask
from ennead.identifiers import InstanceUID
from ennead.interaction import Contour, MaskEdit
from ennead_pipelines.functions.values import EditedMask, MaskSlice


def edited_mask(value: EditedMask, path: Path, volume: Volume) -> MaskEdit:
    """Read the segment back, replace it where a replacement came, then paint and erase in order.

    Parameters
    ----------
    path : Path
        File of the segmentation.

    Raises
    ------
    NotFound, UnusableObject
        The segment is not there, or lies over other images.
    InputError
        The replacement cannot be read.
    """
    from ennead_pipelines.encode.read_seg import read_segment

    stored = read_segment(path, value.segment_number, volume.instance_uids, volume.grid.shape)
    mask = stored.mask.copy()
    if value.replacement is not None:
        mask = _replacement(value.replacement, volume)
    for stroke in value.strokes:
        contour = Contour(InstanceUID(stroke.instance_uid), tuple(stroke.points_mm))
        k, inside = contour.plane(volume)
        if stroke.action == "paint":
            mask[k] |= inside
        else:
            mask[k] &= ~inside
    return MaskEdit(
        seg_instance_uid=InstanceUID(value.seg_instance_uid),
        segment_number=value.segment_number,
        segment_label=stored.label,
        tracking_uid=stored.tracking_uid,
        before=stored.mask,
        mask=mask,
    )


def _replacement(slices: Sequence[MaskSlice], volume: Volume) -> Mask:
    mask = np.zeros(volume.grid.shape, dtype=bool)
    for each in slices:
        k = volume.instance_uids.index(InstanceUID(each.instance_uid))
        mask[k] = _plane(each.bits, volume.grid.shape[1:])
    return mask


def _plane(bits: str, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    rows, columns = shape
    size = -(-rows * columns // 8)
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(bits, validate=True), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise InputError(
            "A replaced slice must be base64 of zlib of one bit a pixel "
            f"(docs/reference/functions-api.md); it cannot be read: {error}."
        ) from error
    if len(packed) != size:
        raise InputError(
            f"A replaced slice must hold {rows} × {columns} bits ({size} bytes); "
            f"it holds {'more' if len(packed) > size else f'{len(packed)} bytes'}."
        )
    flat = np.unpackbits(
        np.frombuffer(packed, dtype=np.uint8), count=rows * columns, bitorder="little"
    )
    return flat.reshape(rows, columns).astype(bool)
