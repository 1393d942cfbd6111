"""How two masks of one grid agree: overlap, volumes, distances between their surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]


def dice(first: Mask, second: Mask) -> float | None:
    """Dice similarity coefficient, 2|A∩B| / (|A|+|B|); None when both are empty.

    Parameters
    ----------
    first, second : bool[z, y, x]
        Of one shape.

    Notes
    -----
    Dice, Ecology 1945; 26: 297–302.
    """
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    if total == 0:
        return None
    return 2.0 * int(np.count_nonzero(first & second)) / total


@dataclass(frozen=True, slots=True)
class SurfaceDistances:
    """Distances in mm from each mask's surface voxels to the other's surface, both ways."""

    forth_mm: npt.NDArray[np.float64]
    back_mm: npt.NDArray[np.float64]

    @property
    def hd95_mm(self) -> float:
        """The larger of the two 95th percentiles."""
        return float(max(np.percentile(self.forth_mm, 95), np.percentile(self.back_mm, 95)))

    @property
    def maximum_mm(self) -> float:
        """Hausdorff distance."""
        return float(max(self.forth_mm.max(), self.back_mm.max()))

    @property
    def mean_mm(self) -> float:
        """Average symmetric surface distance."""
        return float(np.concatenate([self.forth_mm, self.back_mm]).mean())


def surface_distances(
    first: Mask, second: Mask, spacing_mm: tuple[float, float, float]
) -> SurfaceDistances | None:
    """Distances between the surfaces of two masks; None when either is empty.

    Parameters
    ----------
    spacing_mm : (z, y, x)
        Voxel spacing; it need not be the same in all directions.

    Notes
    -----
    A surface voxel is one with a face neighbour outside the mask; what lies beyond the image is
    outside. Distances are between voxel centres. HD95 is the larger of both directed 95th
    percentiles (Huttenlocher et al., IEEE TPAMI 1993; 15: 850–863, with the percentile in use
    since the BraTS evaluations).
    """
    if not (first.any() and second.any()):
        return None
    box = ndimage.find_objects((first | second).astype(np.uint8))[0]
    first, second = first[box], second[box]
    a, b = _surface(first), _surface(second)
    to_b = ndimage.distance_transform_edt(~b, sampling=spacing_mm)
    to_a = ndimage.distance_transform_edt(~a, sampling=spacing_mm)
    return SurfaceDistances(to_b[a], to_a[b])


def _surface(mask: Mask) -> Mask:
    inside: Mask = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(3, 1))
    return mask & ~inside


def volume_ml(mask: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """Voxels times their volume, in mL."""
    return int(np.count_nonzero(mask)) * float(np.prod(spacing_mm)) / 1000.0
