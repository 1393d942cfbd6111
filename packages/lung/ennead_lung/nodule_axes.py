"""Long and perpendicular short axis of a nodule on one plane (103339001, 103340004 SCT).

Measured on the slice where the nodule is largest, along its boundary between voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.errors import EmptyMask
from ennead.findings import Mask
from ennead.geometry import Grid

#: Smoothing that places the boundary between voxels: in voxels, and at most this part of a radius,
#: since a small region would shrink.
_SOFT: Final = 1.0
_SOFT_SHARE: Final = 0.25
#: Step in which chords are measured.
_STEP_MM: Final = 0.05


@dataclass(frozen=True, slots=True)
class NoduleAxes:
    """Both axes, rounded to 0.1 mm, and the slice they were measured on.

    Parameters
    ----------
    slice_index : int
        Along z of the grid.
    """

    long_mm: float
    short_mm: float
    slice_index: int


def nodule_axes(nodule: Mask, grid: Grid) -> NoduleAxes:
    """Longest diameter, and the longest chord perpendicular to it on the same slice.

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
    Specialties page, section 1, nodule size; Lung-RADS v2022: both axes to one decimal.
    """
    areas = [np.count_nonzero(plane) for plane in nodule]
    k = int(np.argmax(areas))
    if areas[k] == 0:
        raise EmptyMask("A nodule needs at least one voxel; refuse it instead.")
    rows, columns = np.nonzero(nodule[k])
    margin = 3
    window = np.pad(
        nodule[k, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], margin
    )
    radius = float(np.sqrt(areas[k] / np.pi))
    soft = ndimage.gaussian_filter(window.astype(np.float32), min(_SOFT, _SOFT_SHARE * radius))
    spacing = np.array(grid.spacing_mm[1:])
    edge = _boundary(soft) * spacing
    if len(edge) < 2:  # one voxel, smoothed away
        return NoduleAxes(round(float(max(spacing)), 1), round(float(min(spacing)), 1), k)
    gaps = np.linalg.norm(edge[:, None] - edge[None], axis=-1)
    one, other = np.unravel_index(int(np.argmax(gaps)), gaps.shape)
    long_mm = float(gaps[one, other])
    along = (edge[other] - edge[one]) / long_mm
    short_mm = _longest_chord(soft, spacing, edge[one], along, long_mm)
    return NoduleAxes(round(long_mm, 1), round(min(short_mm, long_mm), 1), k)


def _boundary(soft: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """float[n, 2]: where the soft mask crosses a half, in fractional rows and columns."""
    found = []
    for axis in (0, 1):
        low = np.take(soft, np.arange(soft.shape[axis] - 1), axis) - 0.5
        high = np.take(soft, np.arange(1, soft.shape[axis]), axis) - 0.5
        where = np.argwhere((low < 0) != (high < 0)).astype(np.float64)
        a, b = low[(low < 0) != (high < 0)], high[(low < 0) != (high < 0)]
        where[:, axis] += a / (a - b)
        found.append(where)
    return np.concatenate(found)


def _longest_chord(
    soft: npt.NDArray[np.float32],
    spacing: npt.NDArray[np.float64],
    start_mm: npt.NDArray[np.float64],
    along: npt.NDArray[np.float64],
    long_mm: float,
) -> float:
    """Longest run inside the nodule across its long axis."""
    across = np.array([-along[1], along[0]])
    along_mm = np.arange(0.0, long_mm, 4 * _STEP_MM)
    reach = np.arange(-long_mm, long_mm, _STEP_MM)
    points = (start_mm + along_mm[:, None, None] * along + reach[None, :, None] * across) / spacing
    inside = ndimage.map_coordinates(soft, np.moveaxis(points, -1, 0), order=1) >= 0.5
    return float(inside.sum(axis=1).max()) * _STEP_MM
