"""A stored segmentation as segment numbers by source image."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from ennead.errors import UnusableObject
from ennead_pipelines.encode.seg import BINARY_CLASS, LABELMAP_CLASS

Frames = dict[str, npt.NDArray[np.uint16]]


def read_labels(data: bytes) -> tuple[str, Frames]:
    """The series a segmentation lies over, and uint16[y, x] for each of its images that it names.

    Segments of a BINARY segmentation that overlap: the higher number wins.

    Raises
    ------
    UnusableObject
        It is no segmentation.
    """
    dataset = _read(data)
    labelmap = dataset.SOPClassUID == LABELMAP_CLASS
    found: Frames = {}
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    for group, pixels in zip(groups, iter_pixels(dataset, raw=True), strict=True):
        uid = _source(group)
        if labelmap:
            found[uid] = np.asarray(pixels, dtype=np.uint16)
            continue
        number = _number(group)
        frame = found.setdefault(uid, np.zeros(pixels.shape, dtype=np.uint16))
        np.maximum(frame, np.asarray(pixels, dtype=np.uint16) * np.uint16(number), out=frame)
    series: Any = dataset.ReferencedSeriesSequence[0]
    return str(series.SeriesInstanceUID), found


def frame_labels(data: bytes, source_uid: str) -> npt.NDArray[np.uint16] | None:
    """Segment numbers, uint16[y, x], on one source image; None where the file does not name it.

    Raises
    ------
    UnusableObject
        It is no segmentation.
    """
    dataset = _read(data)
    labelmap = dataset.SOPClassUID == LABELMAP_CLASS
    groups = dataset.PerFrameFunctionalGroupsSequence
    wanted = [k for k, group in enumerate(groups) if _source(group) == source_uid]
    found: npt.NDArray[np.uint16] | None = None
    for k, pixels in zip(wanted, iter_pixels(dataset, indices=wanted, raw=True), strict=True):
        number = 1 if labelmap else _number(groups[k])
        frame = np.asarray(pixels, dtype=np.uint16) * np.uint16(number)
        found = frame if found is None else np.maximum(found, frame)
    return found


def _read(data: bytes) -> Dataset:
    dataset = dcmread(io.BytesIO(data))
    if dataset.get("SOPClassUID") not in (LABELMAP_CLASS, BINARY_CLASS):
        raise UnusableObject(f"A segmentation was expected; got {dataset.get('SOPClassUID')}.")
    return dataset


def _number(group: Dataset) -> int:
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _source(group: Dataset) -> str:
    image = group.DerivationImageSequence[0].SourceImageSequence[0]
    return str(image.ReferencedSOPInstanceUID)
