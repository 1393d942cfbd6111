"""Segments of a run as label values on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ennead.errors import EncodedResultInvalid, OverlappingSegments
from ennead.findings import Segment

LabelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
MOST_SEGMENTS = 65_535


@dataclass(frozen=True, slots=True)
class Labels:
    """Label values of segments that share no voxel.

    Parameters
    ----------
    values : uint8 or uint16[z, y, x]
        0 for no segment, ``k + 1`` for ``segments[k]``.
    """

    values: LabelArray
    segments: tuple[Segment, ...]


def slice_areas(segment: Segment) -> npt.NDArray[np.int64]:
    """int64[z]: how many voxels the segment selects in each slice."""
    rows = segment.mask.reshape(len(segment.mask), -1)
    areas = np.zeros(len(rows), dtype=np.int64)
    for k in np.flatnonzero(rows.any(axis=1)):
        areas[k] = np.count_nonzero(rows[k])
    return areas


def combine(
    segments: Sequence[Segment], areas: Mapping[str, npt.NDArray[np.int64]] | None = None
) -> Labels:
    """One label map of ``segments``, numbered from 1 in their order.

    Parameters
    ----------
    areas : mapping, optional
        :func:`slice_areas` of each segment id, when they are known already.

    Raises
    ------
    OverlappingSegments
        Two segments share a voxel; names them and how many voxels they share.
    EncodedResultInvalid
        More segments than a label can number.
    """
    if len(segments) > MOST_SEGMENTS:
        raise EncodedResultInvalid(
            f"A segmentation numbers at most {MOST_SEGMENTS} segments; got {len(segments)}."
        )
    dtype = np.uint8 if len(segments) < 256 else np.uint16
    values: LabelArray = np.zeros(segments[0].mask.shape, dtype=dtype)
    selected = 0
    for number, segment in enumerate(segments, 1):
        area = slice_areas(segment) if areas is None else areas[segment.id]
        selected += int(area.sum())
        for k in np.flatnonzero(area):
            np.copyto(values[k], dtype(number), where=segment.mask[k])
    if selected != int(np.count_nonzero(values)):
        raise OverlappingSegments(_overlap_message(segments))
    return Labels(values, tuple(segments))


def join(
    segments: Sequence[Segment], areas: Mapping[str, npt.NDArray[np.int64]], encoding: str
) -> Labels | None:
    """The labels of ``segments``; None when they overlap and ``encoding`` is ``binary``.

    Raises
    ------
    OverlappingSegments
        They overlap and a label map was asked for.
    """
    try:
        return combine(segments, areas)
    except OverlappingSegments:
        if encoding != "binary":
            raise
        return None


def _overlap_message(segments: Sequence[Segment]) -> str:
    for n, one in enumerate(segments):
        for other in segments[n + 1 :]:
            shared = int(np.count_nonzero(one.mask & other.mask))
            if shared:
                return (
                    f"A label map holds one label per voxel; segments {one.id!r} and {other.id!r} "
                    f"share {shared} voxels. Write BINARY (seg_encoding = binary) or separate them."
                )
    raise AssertionError("no overlap found after the voxel counts differed")
