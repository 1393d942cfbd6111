"""Lung volume: the sum of the volumes of its voxels (118565006 SCT, method 126030 DCM)."""

from __future__ import annotations

import numpy as np

from ennead.errors import EmptyMask
from ennead.findings import Mask
from ennead.geometry import Grid


def volume_cm3(lung: Mask, grid: Grid) -> float:
    """Volume in cm3.

    Parameters
    ----------
    lung : bool[z, y, x]
        On ``grid``.

    Raises
    ------
    EmptyMask
        ``lung`` selects no voxel.

    Notes
    -----
    Specialties page, section 1, lung_mask and volume.
    """
    count = int(np.count_nonzero(lung))
    if count == 0:
        raise EmptyMask("A volume needs at least one voxel; refuse it instead.")
    return count * grid.voxel_volume_mm3 / 1000.0


def left_right_ratio(left_cm3: float, right_cm3: float) -> float:
    """Left over right volume; 0.7 to 1.1 is usual, outside it the mask deserves a look.

    Definition: volume of the left lung divided by volume of the right lung.
    """
    if right_cm3 <= 0:
        raise EmptyMask("The ratio needs a right lung; refuse it instead.")
    return left_cm3 / right_cm3
