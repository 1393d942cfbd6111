"""A coarse copy of the image in patient order, on which anatomy is found, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.findings import Mask
from ennead.geometry import Grid

#: Voxels of the coarse copy are about this wide; organs are found, not measured, on it.
TARGET_MM = 2.0
#: Values at or below are padding outside the reconstructed circle, not air.
PADDING_HU = -1200.0

Image = npt.NDArray[np.float32]
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Coarse:
    """A block mean of the image, axes nearest to feet→head, front→back, right→left.

    Parameters
    ----------
    hu : float32[z, y, x]
        Mean of each block; padding counts as -1024.
    padding : bool[z, y, x]
        Blocks with any padding.
    grid : Grid
        Of ``hu``.
    factors : (int, int, int)
        Source voxels per block.
    """

    hu: Image
    padding: Mask
    grid: Grid
    factors: tuple[int, int, int]


def patient_order(values: npt.NDArray[_Kind], grid: Grid) -> npt.NDArray[_Kind]:
    """A view of ``values`` with axes nearest to LPS z, y, x, each increasing."""
    order, flip = grid.canonical()
    return np.flip(values.transpose(order), tuple(a for a in range(3) if flip[a]))


def source_order(values: npt.NDArray[_Kind], grid: Grid) -> npt.NDArray[_Kind]:
    """The inverse of :func:`patient_order`; ``grid`` is the source's."""
    order, flip = grid.canonical()
    return np.flip(values, tuple(a for a in range(3) if flip[a])).transpose(np.argsort(order))


def coarse_copy(hu: Image, grid: Grid) -> Coarse:
    """Shrink ``hu`` by whole factors.

    Parameters
    ----------
    hu : float32[z, y, x]
        Already in patient order.
    grid : Grid
        Of ``hu``.
    """
    factors = tuple(max(1, round(TARGET_MM / s)) for s in grid.spacing_mm)
    shape = tuple(-(-n // f) for n, f in zip(grid.shape, factors, strict=True))
    small = np.empty(shape, dtype=np.float32)
    padding = np.empty(shape, dtype=bool)
    starts = [np.arange(0, n, f) for n, f in zip(grid.shape, factors, strict=True)]
    for k in range(shape[0]):
        slab = hu[k * factors[0] : (k + 1) * factors[0]]
        count = slab.shape[0] * np.outer(
            np.diff([*starts[1], hu.shape[1]]), np.diff([*starts[2], hu.shape[2]])
        )
        total = np.maximum(slab, -1024).sum(axis=0, dtype=np.float32)
        small[k] = _blocks(total, starts, np.add) / count
        padding[k] = _blocks(slab.min(axis=0), starts, np.minimum) <= PADDING_HU
    spacing = tuple(s * f for s, f in zip(grid.spacing_mm, factors, strict=True))
    centre = grid.to_patient([(f - 1) / 2 for f in factors])
    coarse_grid = Grid(
        shape=(shape[0], shape[1], shape[2]),
        origin_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        axes=grid.axes,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        frame_of_reference_uid=grid.frame_of_reference_uid,
    )
    return Coarse(small, padding, coarse_grid, (factors[0], factors[1], factors[2]))


def _blocks(plane: Image, starts: list[npt.NDArray[np.int_]], how: np.ufunc) -> Image:
    rows = how.reduceat(plane, starts[1], axis=0)
    return np.asarray(how.reduceat(rows, starts[2], axis=1))


def enlarge(
    small: npt.NDArray[_Kind], factors: tuple[int, int, int], shape: tuple[int, int, int]
) -> npt.NDArray[_Kind]:
    """Repeat each coarse voxel over the source voxels of its block."""
    big = small
    for axis, factor in enumerate(factors):
        if factor > 1:
            big = np.repeat(big, factor, axis=axis)
    return big[: shape[0], : shape[1], : shape[2]]


def ball_dilate(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Voxels within ``radius_mm`` of ``mask``."""
    if not mask.any():
        return mask.copy()
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= radius_mm)


def ball_erode(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Voxels farther than ``radius_mm`` from anything outside; the array's edge is not outside."""
    if mask.all():
        return mask.copy()
    return np.asarray(ndimage.distance_transform_edt(mask, sampling=spacing_mm) > radius_mm)


def ball_close(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Close gaps narrower than twice ``radius_mm``; never loses a voxel."""
    pads = [(int(np.ceil(radius_mm / s)) + 1,) * 2 for s in spacing_mm]
    wide = np.pad(mask, pads)
    closed = ball_erode(ball_dilate(wide, radius_mm, spacing_mm), radius_mm, spacing_mm)
    inner = tuple(slice(p[0], -p[1]) for p in pads)
    return np.asarray(closed[inner] | mask)
