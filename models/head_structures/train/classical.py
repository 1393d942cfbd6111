"""The classical method: the brain of a T1-weighted head by threshold and morphology.

Smooth, keep what is about as bright as the middle of the head, erode until scalp, eyes and muscles
come loose, keep the part in the middle, dilate it back into the mask, close and fill.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatVolume = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: Voxel size that both methods work at.
SPACING_MM: Final = 1.2
#: Brain tissue, as a share of the brightness in the middle of the head.
_DARK: Final = 0.6
_BRIGHT: Final = 1.6
#: A larger "brain" still hangs on scalp or muscles and is eroded once more.
_MOST_ML: Final = 1600.0
_EROSIONS_MM: Final = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
_BACK_MM: Final = 1.5
_SKULL: Final = 300.0
_AIR: Final = -300.0


def brain_of_t1(image: FloatVolume) -> Mask:
    """The brain of a T1-weighted image of the whole head.

    Parameters
    ----------
    image : float32[x, y, z]
        1.2 mm, the last axis upward, any scale.

    Returns
    -------
    bool[x, y, z]
        Brain and the fluid in it; part of the fluid around it.
    """
    smooth = ndimage.gaussian_filter(image, 0.5)
    middle = _middle(ndimage.binary_fill_holes(smooth > otsu(smooth)))
    level = float(np.median(smooth[middle]))
    tissue = (smooth > _DARK * level) & (smooth < _BRIGHT * level)
    brain = np.zeros(image.shape, dtype=bool)
    for erosion_mm in _EROSIONS_MM:
        brain = _loosened(tissue, erosion_mm, middle)
        if brain.sum() * SPACING_MM**3 / 1000 < _MOST_ML:
            break
    closed = _distance_mm(_distance_mm(~brain) < 3.0) > 3.0
    return np.asarray(ndimage.binary_fill_holes(closed))


def _distance_mm(mask: Mask) -> npt.NDArray[np.float64]:
    """Distance of each voxel of a mask from what is not in it."""
    found: npt.NDArray[np.float64] = ndimage.distance_transform_edt(mask) * SPACING_MM
    return found


def _loosened(tissue: Mask, erosion_mm: float, seed: Mask) -> Mask:
    """Erode, keep the part that holds most of ``seed``, dilate back inside ``tissue``."""
    parts, _ = ndimage.label(_distance_mm(tissue) > erosion_mm)
    sizes = np.bincount(parts[seed & (parts > 0)], minlength=1)
    if len(sizes) < 2:
        return np.zeros(tissue.shape, dtype=bool)
    core = parts == sizes.argmax()
    return np.asarray((_distance_mm(~core) <= erosion_mm + _BACK_MM) & tissue)


def inside_of_skull(hu: FloatVolume) -> Mask:
    """The inside of the skull of a CT: soft voxels that bone closes in, opened at its holes.

    Parameters
    ----------
    hu : float32[x, y, z]
        HU at 1.2 mm.

    Returns
    -------
    bool[x, y, z]
    """
    bone = _distance_mm(_distance_mm(hu <= _SKULL) < 3.0) > 3.0
    soft = (hu > _AIR) & ~bone
    depth = _distance_mm(soft)
    deepest = np.zeros(hu.shape, dtype=bool)
    deepest[np.unravel_index(depth.argmax(), hu.shape)] = True
    inside = _loosened(soft, 6.0, deepest)
    return np.asarray(ndimage.binary_fill_holes(inside))


def otsu(values: npt.NDArray[np.float32]) -> float:
    """Otsu's threshold (IEEE Trans. SMC 9:62, 1979) of 256 bins."""
    counts, edges = np.histogram(values, 256, (0.0, float(np.percentile(values, 99.5))))
    centres = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * centres).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
    return float(centres[np.nan_to_num(below * above * gap**2).argmax()])


def _middle(head: Mask) -> Mask:
    """A ball of 35 mm around a point 70 mm below the top of the head, in its middle."""
    where = np.argwhere(head)
    depth, radius = 70 / SPACING_MM, 35 / SPACING_MM
    top = where[:, 2].max()
    upper = where[where[:, 2] > top - 2 * depth]
    centre = np.array([*upper[:, :2].mean(axis=0), top - depth])
    grid = np.ogrid[tuple(slice(0, length) for length in head.shape)]
    squared = sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True))
    return np.asarray(squared < radius**2)
