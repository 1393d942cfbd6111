"""Lung mask: both lungs with their vessels, without trachea, main bronchi and other gas.

Definition (specialties page, section 1, lung_mask): air at or below -500 HU inside the body, the
room's air and the central airway removed, vessels filled by closing, right and left parted by a
three-dimensional watershed.

Anatomy is found on a copy of about 2 mm; the mask's own boundary is that of the full image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.findings import Mask
from ennead.geometry import Grid
from ennead_lung._airway import central_airway
from ennead_lung._body import (
    AIR_HU,
    Midline,
    inner_air,
    middle_of_tissue,
    midline,
    pockets_like_lung,
    volume_cm3,
)
from ennead_lung._coarse import (
    Coarse,
    Image,
    ball_close,
    ball_dilate,
    coarse_copy,
    enlarge,
    patient_order,
    source_order,
)
from ennead_lung._sides import LEFT, RIGHT, split_sides

#: Gaps up to twice this wide (vessels, nodules, hilar bronchi) become lung.
CLOSING_MM = 8.0
#: Less than this on a side is not called a lung.
SMALLEST_LUNG_CM3 = 150.0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What was found on the coarse copy, in patient order.

    Parameters
    ----------
    sides : uint8[z, y, x]
        Lung air: 1 = right, 2 = left.
    closed : uint8[z, y, x]
        The same with vessels filled.
    middle : Midline or None
        The spine; without it, sides are told from the middle of the body.
    airway_seen : bool
        Whether trachea or main bronchi were found.
    """

    coarse: Coarse
    sides: npt.NDArray[np.uint8]
    closed: npt.NDArray[np.uint8]
    middle: Midline | None
    airway_seen: bool


@dataclass(frozen=True, slots=True)
class LungMask:
    """The lungs of one image, on its grid.

    Parameters
    ----------
    right, left : bool[z, y, x]
        Either may select nothing.
    grid : Grid
        The image's grid.
    anatomy : Anatomy
        Where on the coarse copy they were found.
    """

    right: Mask
    left: Mask
    grid: Grid
    anatomy: Anatomy

    @property
    def both(self) -> Mask:
        """Right and left together."""
        return np.asarray(self.right | self.left)

    def side(self, name: str) -> Mask:
        """``right`` or ``left``."""
        return self.right if name == "right" else self.left


def lung_mask(hu: Image, grid: Grid) -> LungMask:
    """Find the lungs.

    Parameters
    ----------
    hu : float32[z, y, x], HU
        On ``grid``, in any orientation.

    Returns
    -------
    LungMask
        Empty sides where no lung was found. Right and left are the patient's, by ``grid``.
    """
    order, flip = grid.canonical()
    ordered_grid = grid.reordered(order, flip)
    ordered = np.asarray(patient_order(hu, grid))
    coarse = coarse_copy(ordered, ordered_grid)
    anatomy = find_anatomy(coarse)
    fine = _refine(ordered, anatomy)
    return LungMask(
        right=np.ascontiguousarray(source_order(fine == RIGHT, grid)),
        left=np.ascontiguousarray(source_order(fine == LEFT, grid)),
        grid=grid,
        anatomy=anatomy,
    )


def find_anatomy(coarse: Coarse) -> Anatomy:
    """Lungs on the coarse copy, without central airway and other gas."""
    air = inner_air(coarse)
    middle = midline(coarse)
    airway = central_airway(coarse, air, middle)
    lung = pockets_like_lung(coarse, air & ~airway)
    column = middle.column if middle else middle_of_tissue(coarse)
    spacing = coarse.grid.spacing_mm
    sides = split_sides(lung, spacing, column)
    closed = np.zeros_like(sides)
    for side in (RIGHT, LEFT):
        one = sides == side
        if volume_cm3(one, coarse) < SMALLEST_LUNG_CM3:
            sides[one] = 0
            continue
        box = _box(one, 1)
        hull = ball_close(one[box], CLOSING_MM, spacing) & (closed[box] == 0)
        closed[box][hull & ((sides[box] == 0) | one[box])] = side
    return Anatomy(coarse, sides, closed, middle, bool(airway.any()))


def _refine(hu: Image, anatomy: Anatomy) -> npt.NDArray[np.uint8]:
    """The full image's own air next to the coarse lung, and what that encloses."""
    coarse, sides, closed = anatomy.coarse, anatomy.sides, anatomy.closed
    fine = np.zeros(hu.shape, dtype=np.uint8)
    spacing, factors = coarse.grid.spacing_mm, coarse.factors
    for side in (RIGHT, LEFT):
        own = sides == side
        if not own.any():
            continue
        box = _box(own | (closed == side), 3)
        window = tuple(
            slice(b.start * f, min(n, b.stop * f))
            for b, f, n in zip(box, factors, hu.shape, strict=True)
        )
        shape = tuple(w.stop - w.start for w in window)
        other = (sides[box] != side) & (sides[box] > 0)
        near = ball_dilate(own[box], 1.01 * max(spacing), spacing) & ~other
        near &= (coarse.hu[box] > AIR_HU) | own[box]
        inside = ndimage.binary_erosion(closed[box] == side, np.ones((3, 3, 3)), border_value=1)
        lung = np.asarray(enlarge(near, factors, shape) & (hu[window] <= AIR_HU))
        lung |= np.asarray(enlarge(inside, factors, shape))
        lung = _fill_holes(lung) & (fine[window] == 0)
        fine[window][lung] = side
    return fine


def _fill_holes(mask: Mask) -> Mask:
    """Everything that the mask encloses within its box."""
    outside, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))
    inner = outside[1:-1, 1:-1, 1:-1]
    return np.asarray(mask | ((inner != outside[0, 0, 0]) & (inner > 0)))


def _box(mask: Mask, margin: int) -> tuple[slice, slice, slice]:
    found = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        where = np.flatnonzero(mask.any(axis=others))
        low = int(where[0]) - margin if where.size else 0
        high = int(where[-1]) + 1 + margin if where.size else 0
        found.append(slice(max(0, low), min(mask.shape[axis], high)))
    return found[0], found[1], found[2]
