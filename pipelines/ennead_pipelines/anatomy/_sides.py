"""Right and left: by the midline, with a watershed where the lungs are joined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from ennead.findings import Mask

RIGHT, LEFT = 1, 2
#: A part this large (of everything) on both sides of the midline makes a joined lung, which is cut
#: at the midline when it has no neck.
JOINED_FRACTION = 0.1
#: A smaller part across the midline is cut off at a neck, or stays with its lung.
SLIVER_CM3 = 1.0
#: A marker holds at least this share of what lies on its side of the midline.
MARKER_SHARE = 0.15


def split_sides(
    lung: Mask, spacing_mm: tuple[float, float, float], midline_column: float
) -> npt.NDArray[np.uint8]:
    """Label ``lung`` (patient order, x to the left) with 1 = right, 2 = left.

    Parameters
    ----------
    lung : bool[z, y, x]
        Axes increasing to head, back and left.
    midline_column : float
        Index along x between the lungs.

    Notes
    -----
    A component lies on the side of its centroid. One that spreads over both sides is cut by a
    three-dimensional watershed of its distance map between markers that appear when it is eroded
    step by step: the cut runs through the narrowest neck.
    """
    components, _ = ndimage.label(lung)
    sides = np.zeros(lung.shape, dtype=np.uint8)
    total = max(1, int(np.count_nonzero(lung)))
    right_of = np.arange(lung.shape[2]) < midline_column
    sliver = SLIVER_CM3 * 1000 / float(np.prod(spacing_mm))
    for label, box in enumerate(ndimage.find_objects(components), start=1):
        part = components[box] == label
        columns = part.sum(axis=(0, 1))
        on_right = int(columns[right_of[box[2]]].sum())
        on_left = int(columns.sum()) - on_right
        less = min(on_right, on_left)
        sides[box][part] = RIGHT if on_right >= on_left else LEFT
        if less >= min(sliver, JOINED_FRACTION * total):
            joined = less >= JOINED_FRACTION * total
            cut = _cut(part, spacing_mm, midline_column - box[2].start, less, joined)
            if cut is not None:
                sides[box][part] = cut[part]
    return sides


def _cut(
    part: Mask,
    spacing_mm: tuple[float, float, float],
    midline_column: float,
    smaller: int,
    joined: bool,
) -> npt.NDArray[np.uint8] | None:
    padded = np.pad(part, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    markers = _neck_markers(depth, midline_column, MARKER_SHARE * smaller)
    if markers is None:
        if not joined:
            return None
        markers = _midline_markers(part, midline_column)
    flooded = sitk.MorphologicalWatershedFromMarkers(
        sitk.GetImageFromArray((-depth).astype(np.float32)),
        sitk.GetImageFromArray(markers),
        markWatershedLine=False,
        fullyConnected=False,
    )
    return np.asarray(sitk.GetArrayFromImage(flooded), dtype=np.uint8)


def _neck_markers(
    depth: npt.NDArray[np.float64], midline_column: float, least: float
) -> npt.NDArray[np.uint8] | None:
    """Cores of at least ``least`` voxels on each side, at the first erosion that parts them."""
    deepest = float(depth.max())
    for level in np.linspace(0.0, 0.9 * deepest, 25):
        cores, count = ndimage.label(depth > level)
        if count < 2:
            continue
        index = np.arange(1, count + 1)
        sizes = np.bincount(cores.ravel())[1:]
        columns = np.broadcast_to(np.arange(depth.shape[2]), depth.shape)
        centres = ndimage.mean(columns, cores, index)
        side = np.where(centres < midline_column, RIGHT, LEFT)
        best = [max(sizes[side == s], default=0) for s in (RIGHT, LEFT)]
        if min(best) >= max(1, least):
            kept = sizes >= 0.1 * min(best)
            lookup = np.concatenate([[0], np.where(kept, side, 0)]).astype(np.uint8)
            return np.asarray(lookup[cores])
    return None


def _midline_markers(part: Mask, midline_column: float) -> npt.NDArray[np.uint8]:
    columns = np.arange(part.shape[2])
    side = np.where(columns < midline_column, RIGHT, LEFT)
    side[np.abs(columns - midline_column) < 2] = 0
    return np.asarray(part * side.astype(np.uint8))
