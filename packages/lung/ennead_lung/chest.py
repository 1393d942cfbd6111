"""The chest as the package sees it: the shared anatomy's lungs, and what lies around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ennead.coarse import Coarse, coarse_copy, patient_order
from ennead.contracts import Anatomy, Volume
from ennead.contrast import blood_hu
from ennead.findings import Mask
from ennead.geometry import Grid

SIDES = ("right", "left")
#: Less than this on a side is not called a lung.
SMALLEST_LUNG_CM3 = 150.0


@dataclass(frozen=True, slots=True)
class Chest:
    """Both lungs of one image, on its grid.

    Parameters
    ----------
    right, left : bool[z, y, x]
        Either may select nothing. Right and left are the patient's.
    grid : Grid
        The image's grid.
    coarse : Coarse
        A copy of the image of about 2 mm, in patient order.
    coarse_lungs : uint8[z, y, x]
        On ``coarse``: 1 = right, 2 = left.
    airway_seen : bool
        Whether trachea or main bronchi were found.
    spine : (row, column) or None
        On ``coarse``.
    """

    right: Mask
    left: Mask
    grid: Grid
    coarse: Coarse
    coarse_lungs: npt.NDArray[np.uint8]
    airway_seen: bool
    spine: tuple[float, float] | None

    @property
    def both(self) -> Mask:
        """Right and left together."""
        return np.asarray(self.right | self.left)

    def side(self, name: str) -> Mask:
        """``right`` or ``left``."""
        return self.right if name == "right" else self.left

    def blood_hu(self) -> float | None:
        """What heart and great vessels measure; None when too little of them is seen."""
        right, left = (self.coarse_lungs == n for n in (1, 2))
        return blood_hu(self.coarse.hu, right, left, self.coarse.grid.spacing_mm, self.spine)


def read_chest(volume: Volume, anatomy: Anatomy) -> Chest:
    """The lungs that ``anatomy`` shows in ``volume``."""
    grid = volume.grid
    right, left = (anatomy.mask(f"{side}_lung") for side in SIDES)
    for lung in (right, left):
        if np.count_nonzero(lung) * grid.voxel_volume_mm3 / 1000 < SMALLEST_LUNG_CM3:
            lung[:] = False
    order, flip = grid.canonical()
    coarse = coarse_copy(
        np.asarray(patient_order(volume.values, grid)), grid.reordered(order, flip)
    )
    z, y, x = (slice(f // 2, None, f) for f in coarse.factors)
    lungs = np.zeros(coarse.hu.shape, dtype=np.uint8)
    for value, mask in ((1, right), (2, left)):
        seen = patient_order(mask, grid)[z, y, x]
        lungs[: seen.shape[0], : seen.shape[1], : seen.shape[2]][seen] = value
    spine = None
    if "bone_column" in anatomy.landmarks_mm:
        index = coarse.grid.to_index(anatomy.landmarks_mm["bone_column"])
        spine = (float(index[1]), float(index[2]))
    airway_seen = bool(anatomy.mask("airway").any())
    return Chest(right, left, grid, coarse, lungs, airway_seen, spine)
