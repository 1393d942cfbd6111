"""A coarse copy of an image in patient order, on which organs are found, and the way back.

For packages and anatomy providers; distances need SimpleITK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ennead.findings import Mask
from ennead.geometry import Grid

#: Voxels of the coarse copy are about this wide; organs are found, not measured, on it.
TARGET_MM = 2.0
#: Values at or below are padding outside the reconstructed circle, not air.
PADDING_HU = -1200.0
#: Distances are float32: a voxel exactly at the radius must count as such.
_TOUCH_MM = 1e-3

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
    sizes = [
        np.minimum(f, n - np.arange(0, n, f)) for n, f in zip(grid.shape, factors, strict=True)
    ]
    for k in range(shape[0]):
        slab = hu[k * factors[0] : (k + 1) * factors[0]]
        total = np.maximum(slab, -1024).sum(axis=0, dtype=np.float32)
        small[k] = _blocks(total, factors, np.add, 0.0)
        small[k] /= slab.shape[0] * np.outer(sizes[1], sizes[2])
        padding[k] = _blocks(slab.min(axis=0), factors, np.minimum, np.inf) <= PADDING_HU
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


def _blocks(plane: Image, factors: tuple[int, ...], how: np.ufunc, neutral: float) -> Image:
    """Reduce each block of a plane to one value; blocks at the far edges may be smaller."""
    for axis, factor in ((0, factors[1]), (1, factors[2])):
        missing = -plane.shape[axis] % factor
        if missing:
            widths = [(0, missing if a == axis else 0) for a in range(2)]
            plane = np.pad(plane, widths, constant_values=neutral)
        parts = [plane[n::factor] if axis == 0 else plane[:, n::factor] for n in range(factor)]
        plane = parts[0].copy()
        for part in parts[1:]:
            how(plane, part, out=plane)
    return plane


def enlarge(
    small: npt.NDArray[_Kind], factors: tuple[int, int, int], shape: tuple[int, int, int]
) -> npt.NDArray[_Kind]:
    """Repeat each coarse voxel over the source voxels of its block."""
    big = small
    for axis in (2, 1, 0):  # the long runs last
        factor = factors[axis]
        if factor > 1:
            big = np.repeat(big, factor, axis=axis)
    return big[: shape[0], : shape[1], : shape[2]]


def distance_mm(mask: Mask, spacing_mm: tuple[float, float, float]) -> Image:
    """float32[z, y, x]: distance of each voxel's centre to the nearest one of ``mask``, in mm.

    Infinite everywhere when ``mask`` selects nothing.

    Notes
    -----
    Exact Euclidean distance (Maurer, Qi, Raghavan, PAMI 2003), on all cores.
    """
    import SimpleITK as sitk

    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    signed = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    distance = sitk.GetArrayFromImage(signed)
    distance[mask] = 0
    return np.asarray(distance, dtype=np.float32)


def ball_dilate(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Voxels within ``radius_mm`` of ``mask``."""
    grown = np.zeros_like(mask)
    margin = [int(np.ceil(radius_mm / s)) for s in spacing_mm]
    box = bounding_box(mask, margin)
    if box is not None:
        grown[box] = distance_mm(mask[box], spacing_mm) <= radius_mm + _TOUCH_MM
    return grown


def ball_erode(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Voxels farther than ``radius_mm`` from anything outside; the array's edge is not outside."""
    kept = np.zeros_like(mask)
    box = bounding_box(mask, [1, 1, 1])
    if box is not None:
        kept[box] = distance_mm(~mask[box], spacing_mm) > radius_mm + _TOUCH_MM
    return kept


def ball_close(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Close gaps narrower than twice ``radius_mm``; never loses a voxel."""
    box = bounding_box(mask, [0, 0, 0])
    if box is None:
        return mask.copy()
    pads = [(int(np.ceil(radius_mm / s)) + 1,) * 2 for s in spacing_mm]
    wide = np.pad(mask[box], pads)
    closed = ball_erode(ball_dilate(wide, radius_mm, spacing_mm), radius_mm, spacing_mm)
    inner = tuple(slice(p[0], -p[1]) for p in pads)
    found = mask.copy()
    found[box] |= closed[inner]
    return found


def box_dilate(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Voxels in the cube of half-width ``radius_mm`` around ``mask``; much faster than a ball."""
    grown = mask.copy()
    for axis, spacing in enumerate(spacing_mm):
        source = grown.copy()
        for step in range(1, min(int(radius_mm / spacing + _TOUCH_MM), mask.shape[axis] - 1) + 1):
            ahead, behind = _shifts(axis, step)
            grown[ahead] |= source[behind]
            grown[behind] |= source[ahead]
    return grown


def box_erode(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Voxels with nothing outside in their cube; the array's edge is not outside."""
    return ~box_dilate(~mask, radius_mm, spacing_mm)


def box_close(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Close gaps narrower than twice ``radius_mm``; never loses a voxel."""
    box = bounding_box(mask, [int(np.ceil(radius_mm / s)) for s in spacing_mm])
    if box is None:
        return mask.copy()
    found = mask.copy()
    found[box] |= box_erode(box_dilate(mask[box], radius_mm, spacing_mm), radius_mm, spacing_mm)
    return found


def _shifts(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    before = (slice(None),) * axis
    return (*before, slice(step, None)), (*before, slice(None, -step))


def bounding_box(mask: Mask, margin: Sequence[int]) -> tuple[slice, slice, slice] | None:
    """The smallest box around ``mask`` with ``margin`` voxels on each side; None when empty."""
    found = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if not where.size:
            return None
        low, high = int(where[0]) - margin[axis], int(where[-1]) + 1 + margin[axis]
        found.append(slice(max(0, low), min(mask.shape[axis], high)))
    return found[0], found[1], found[2]
