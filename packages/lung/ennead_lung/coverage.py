"""How much of the lungs the image holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ennead.findings import Mask
from ennead.geometry import Grid
from ennead_lung.chest import Chest

#: Lungs cut by the image and lower than this are a glimpse, not a chest.
GLIMPSE_MM = 100.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the image's edges cut.

    Parameters
    ----------
    right_cut, left_cut : bool
        The lung touches the first or last slice or the field of view's edge.
    height_mm : float
        Extent of both lungs along the body.
    bases_only : bool
        The top slice cuts the lungs below the bifurcation of the trachea: an abdominal scan.
    """

    right_cut: bool
    left_cut: bool
    height_mm: float
    bases_only: bool

    @property
    def cut(self) -> bool:
        """Whether any lung is cut."""
        return self.right_cut or self.left_cut

    @property
    def glimpse(self) -> bool:
        """Whether too little is seen to call it a chest."""
        return self.bases_only or (self.cut and self.height_mm < GLIMPSE_MM)

    def side_cut(self, name: str) -> bool:
        """For ``right`` or ``left``."""
        return self.right_cut if name == "right" else self.left_cut


def touches_edge(mask: Mask) -> bool:
    """Whether any voxel lies on one of the six faces of the array."""
    return any(
        bool(np.take(mask, index, axis=axis).any()) for axis in range(3) for index in (0, -1)
    )


def height_mm(mask: Mask, grid: Grid) -> float:
    """Extent of ``mask`` along the grid axis nearest to feet-head."""
    axis = grid.canonical()[0][0]
    others = tuple(a for a in range(3) if a != axis)
    where = np.flatnonzero(mask.any(axis=others))
    return float(where[-1] - where[0] + 1) * grid.spacing_mm[axis] if where.size else 0.0


def meets_padding(lung: Mask, padding: Mask) -> bool:
    """Whether a lung lies against padding inside the image (both on the coarse copy)."""
    return bool(padding.any() and (ndimage.binary_dilation(lung, iterations=2) & padding).any())


def coverage(chest: Chest) -> Coverage:
    """Judge both lungs."""
    padding, lungs = chest.coarse.padding, chest.coarse_lungs
    return Coverage(
        right_cut=touches_edge(chest.right) or meets_padding(lungs == 1, padding),
        left_cut=touches_edge(chest.left) or meets_padding(lungs == 2, padding),
        height_mm=height_mm(chest.both, chest.grid),
        bases_only=bool(lungs[-1].any()) and not chest.airway_seen,
    )
