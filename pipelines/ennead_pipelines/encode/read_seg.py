"""A segment of a stored segmentation, back on the grid of its source series.

Frames are placed by the source image that each one names, never by their order or number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import iter_pixels

from ennead.errors import NotFound, UnusableObject
from ennead.findings import Mask
from ennead.identifiers import InstanceUID, SeriesUID, TrackingUID
from ennead_pipelines.encode.seg import BINARY_CLASS, LABELMAP_CLASS


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as stored.

    Parameters
    ----------
    mask : bool[z, y, x]
        Slice ``k`` is the image ``instance_uids[k]`` that was asked for.
    """

    number: int
    label: str
    tracking_uid: TrackingUID
    mask: Mask


def referenced_series(path: Path) -> SeriesUID:
    """The series that a stored segmentation lies over.

    Raises
    ------
    UnusableObject
        It is no segmentation, or names no series.
    """
    dataset = _read(path, pixels=False)
    named = list(dataset.get("ReferencedSeriesSequence") or [])
    if len(named) != 1:
        raise UnusableObject(
            f"Segmentation {dataset.SOPInstanceUID} names {len(named)} series; one is needed."
        )
    return SeriesUID(str(named[0].SeriesInstanceUID))


def read_segment(
    path: Path, number: int, instance_uids: Sequence[InstanceUID], shape: tuple[int, int, int]
) -> StoredSegment:
    """One segment over the images of its source series.

    Parameters
    ----------
    instance_uids : sequence of InstanceUID
        Source image of each slice of the answer.
    shape : (int, int, int)
        Of the answer.

    Raises
    ------
    NotFound
        There is no such segment.
    UnusableObject
        It is no segmentation of these images, or its pixels are of a form we do not read.
    """
    dataset = _read(path)
    item = next((s for s in dataset.SegmentSequence if s.SegmentNumber == number), None)
    if item is None or number == 0:
        raise NotFound(f"Segmentation {dataset.SOPInstanceUID} has no segment {number}.")
    if (int(dataset.Rows), int(dataset.Columns)) != shape[1:]:
        raise UnusableObject(
            f"Segmentation {dataset.SOPInstanceUID} has {dataset.Rows} × {dataset.Columns} "
            f"pixels; its series has {shape[1]} × {shape[2]}."
        )
    mask = np.zeros(shape, dtype=bool)
    slices = {uid: k for k, uid in enumerate(instance_uids)}
    is_labelmap = dataset.SOPClassUID == LABELMAP_CLASS
    wanted: list[int] = []
    at: list[int] = []
    for frame, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        if is_labelmap or _segment_of(group) == number:
            source = _source_of(group)
            if source not in slices:
                raise UnusableObject(
                    f"Segmentation {dataset.SOPInstanceUID} names image {source}, which is not in "
                    "the series."
                )
            wanted.append(frame)
            at.append(slices[source])
    frames = iter_pixels(dataset, indices=wanted, raw=True) if wanted else ()
    for k, pixels in zip(at, frames, strict=True):
        mask[k] |= pixels == (number if is_labelmap else 1)
    return StoredSegment(
        number,
        str(item.get("SegmentLabel") or ""),
        TrackingUID(str(item.get("TrackingUID") or "")),
        mask,
    )


def _segment_of(group: Dataset) -> int:
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _source_of(group: Dataset) -> InstanceUID:
    image = group.DerivationImageSequence[0].SourceImageSequence[0]
    return InstanceUID(str(image.ReferencedSOPInstanceUID))


def _read(path: Path, *, pixels: bool = True) -> Dataset:
    try:
        dataset = dcmread(path, stop_before_pixels=not pixels)
    except (InvalidDicomError, OSError) as error:
        raise UnusableObject(f"A segmentation must be a DICOM file; got {error}.") from error
    if dataset.get("SOPClassUID") not in (LABELMAP_CLASS, BINARY_CLASS):
        raise UnusableObject(
            f"A mask is edited from a segmentation; {dataset.get('SOPInstanceUID')} is of SOP "
            f"class {dataset.get('SOPClassUID')}."
        )
    return dataset
