"""Nodule volume: the sum of the volumes of its voxels (118565006 SCT, method 126030 DCM)."""

from __future__ import annotations

import numpy as np

from ennead.errors import EmptyMask
from ennead.findings import Mask
from ennead.geometry import Grid


def nodule_volume_mm3(nodule: Mask, grid: Grid) -> float:
    """Volume, rounded to 1 mm3.

    Parameters
    ----------
    nodule : bool[z, y, x]
        On ``grid``.

    Raises
    ------
    EmptyMask
        ``nodule`` selects no voxel.

    Notes
    -----
    Specialties page, section 1, nodule size.
    """
    count = int(np.count_nonzero(nodule))
    if count == 0:
        raise EmptyMask("A volume needs at least one voxel; refuse it instead.")
    return float(round(count * grid.voxel_volume_mm3))
