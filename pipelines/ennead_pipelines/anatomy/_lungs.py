"""Both lungs with their vessels, without trachea, main bronchi and other gas.

Air at or below -500 HU inside the body, the room's air and the central airway removed, vessels
filled by closing, right and left parted by a three-dimensional watershed. Lungs are found on a copy
of about 2 mm; their boundary is that of the full image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.coarse import Coarse, Image, ball_close, ball_dilate, bounding_box, box_erode, enlarge
from ennead.findings import Mask
from ennead_pipelines.anatomy._airway import central_airway
from ennead_pipelines.anatomy._body import (
    AIR_HU,
    Midline,
    body,
    inner_air,
    middle_of_tissue,
    midline,
    pockets_like_lung,
    volume_cm3,
)
from ennead_pipelines.anatomy._sides import LEFT, RIGHT, split_sides

#: Gaps up to twice this wide (vessels, nodules, hilar bronchi) become lung.
CLOSING_MM = 8.0
#: Less than this on a side is not called a lung.
SMALLEST_LUNG_CM3 = 150.0


@dataclass(frozen=True, slots=True)
class CoarseLungs:
    """What was found on the coarse copy, in patient order.

    Parameters
    ----------
    sides : uint8[z, y, x]
        Lung air: 1 = right, 2 = left.
    closed : uint8[z, y, x]
        The same with vessels filled.
    airway : bool[z, y, x]
        Lumen of trachea and main bronchi.
    inner_air : bool[z, y, x]
        All air that is not the room's.
    tissue : bool[z, y, x]
        The patient without cavities.
    middle : Midline or None
        The spine; without it, sides are told from the middle of the body.
    """

    coarse: Coarse
    sides: npt.NDArray[np.uint8]
    closed: npt.NDArray[np.uint8]
    airway: Mask
    inner_air: Mask
    tissue: Mask
    middle: Midline | None


def find_lungs(coarse: Coarse) -> CoarseLungs:
    """Lungs on the coarse copy, without central airway and other gas; sides may be empty."""
    air = inner_air(coarse)
    middle = midline(coarse)
    airway = central_airway(coarse, air, middle)
    tissue = body(coarse)
    lung = pockets_like_lung(coarse, air & ~airway, tissue)
    column = middle.column if middle else middle_of_tissue(coarse)
    spacing = coarse.grid.spacing_mm
    sides = split_sides(lung, spacing, column)
    closed = np.zeros_like(sides)
    for side in (RIGHT, LEFT):
        one = sides == side
        if volume_cm3(one, coarse) < SMALLEST_LUNG_CM3:
            sides[one] = 0
            continue
        box = bounding_box(one, (1, 1, 1))
        assert box is not None
        hull = ball_close(one[box], CLOSING_MM, spacing) & (closed[box] == 0)
        closed[box][hull & ((sides[box] == 0) | one[box])] = side
    return CoarseLungs(coarse, sides, closed, airway, air, tissue, middle)


def refine_lungs(hu: Image, lungs: CoarseLungs) -> npt.NDArray[np.uint8]:
    """uint8[z, y, x] of the full image, in patient order: 1 = right, 2 = left.

    The image's own air next to the coarse lung, and what that encloses.
    """
    coarse, sides, closed = lungs.coarse, lungs.sides, lungs.closed
    fine = np.zeros(hu.shape, dtype=np.uint8)
    spacing, factors = coarse.grid.spacing_mm, coarse.factors
    for side in (RIGHT, LEFT):
        own = sides == side
        box = bounding_box(own | (closed == side), (3, 3, 3))
        if box is None:
            continue
        window = tuple(
            slice(b.start * f, min(n, b.stop * f))
            for b, f, n in zip(box, factors, hu.shape, strict=True)
        )
        shape = tuple(w.stop - w.start for w in window)
        other = (sides[box] != side) & (sides[box] > 0)
        near = ball_dilate(own[box], 1.01 * max(spacing), spacing) & ~other
        near &= (coarse.hu[box] > AIR_HU) | own[box]
        inside = box_erode(closed[box] == side, 1.0, (1.0, 1.0, 1.0))
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
