"""The reference case: a warm ball beside a warm wall, blurred as PET blurs; no patient's data."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.geometry import Grid
from pet_tumour.train.network import GRID_MM, SIDE

RADIUS_MM: Final = 26.0


def reference_image() -> tuple[npt.NDArray[np.float32], Grid]:
    """SUV float32[x, y, z] of 64³ at 4 mm, and their grid (RAS axes); the seed is its middle.

    A ball of SUV 9 and radius 26 mm in tissue of SUV 1; a slab of SUV 3 lies 60 mm away.
    """
    axis = (np.arange(SIDE) - SIDE // 2) * GRID_MM
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    suv = np.where(x > 60, 3.0, 1.0)
    suv[x**2 + y**2 + z**2 <= RADIUS_MM**2] = 9.0
    suv[np.abs(y) > 110] = 0.0
    blurred = ndimage.gaussian_filter(suv, 0.7).round(2).astype(np.float32)
    grid = Grid(
        (SIDE, SIDE, SIDE),
        (0.0, 0.0, 0.0),
        ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
        (GRID_MM, GRID_MM, GRID_MM),
    )
    return blurred, grid
