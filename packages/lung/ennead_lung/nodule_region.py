"""Where a nodule is, grown from a place that a reader chose in it.

What is denser than halfway between the nodule and the lung around it belongs to it; vessels and
the chest wall, which are joined to it, are cut off by an opening whose ball is as small as it can
be. Everything happens in a box around the seed, so that the answer is there at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.findings import HUVolume, Mask
from ennead.geometry import Grid

#: Half the width of the box around the seed; a nodule that fills one is looked at in the next.
BOX_MM: Final = (14.0, 22.0, 32.0)
#: Nodules are at most 30 mm wide; what is wider after cutting has leaked.
WIDEST_MM: Final = 36.0
#: A click may miss the nodule's densest part by this.
CLICK_MM: Final = 2.0
#: Lung, and other air, in HU (specialties page, section 1).
AIR_HU: Final = -500.0
ROOM_AIR_HU: Final = -945.0
#: A nodule is at least this much denser than the lung around it.
CONTRAST_HU: Final = 150.0
#: Denser parts (calcium, contrast) do not move the boundary.
DENSEST_HU: Final = 60.0
#: The boundary is found again when the level of the whole differs by more from the densest part's.
LEVEL_HU: Final = 15.0
#: At least this share of the box, and of the region's surface, is lung.
LUNG_IN_BOX: Final = 0.05
LUNG_AROUND: Final = 0.2
#: Radius of the opening, in parts of the largest ball that fits in the nodule.
OPENINGS: Final = (0.5, 0.6, 0.7, 0.8, 0.87)
#: What the opening gives back of the rim, in voxels.
RIM: Final = 0.5
#: Fewer voxels cannot be measured.
FEWEST_VOXELS: Final = 12

_Box = tuple[slice, slice, slice]
_Index = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class NoduleRegion:
    """A nodule.

    Parameters
    ----------
    mask : bool[z, y, x]
        On the image's grid.
    level_hu, lung_hu : float
        Attenuation of the nodule, and of the lung around it; their mean is the boundary.
    """

    mask: Mask
    level_hu: float
    lung_hu: float


@dataclass(frozen=True, slots=True)
class NoRegion:
    """Why there is none: the end of a text key under ``refusal.nodule``, and its values."""

    key: str
    values: dict[str, str | int | float] = field(default_factory=dict)


def nodule_region(hu: HUVolume, grid: Grid, seed: _Index) -> NoduleRegion | NoRegion:
    """Grow a nodule from ``seed``.

    Parameters
    ----------
    hu : float32[z, y, x], HU
        On ``grid``; any orientation.
    seed : (z, y, x)
        A voxel in the nodule, or within :data:`CLICK_MM` of it.

    Returns
    -------
    NoduleRegion or NoRegion
        ``seed_air``, ``outside_lung``, ``leaks``, ``cut`` or ``small``.

    Notes
    -----
    Specialties page, section 1, nodule size. The opening follows Kuhnigk et al. 2006
    (doi 10.1109/TMI.2006.871547): erode until the nodule stands alone, then grow back inside.
    """
    answer = NoRegion("outside_lung")
    for half_mm in BOX_MM:
        box = _box_around(seed, half_mm, grid)
        found = _in_box(hu[box], grid, box, seed)
        if isinstance(found, NoRegion):
            if found.key == "seed_air":
                return found
            answer = found
            continue
        mask = np.zeros(grid.shape, dtype=bool)
        mask[box] = found.mask
        if np.count_nonzero(mask) < FEWEST_VOXELS:
            return NoRegion("small", {"rule_min": FEWEST_VOXELS})
        return NoduleRegion(mask, found.level_hu, found.lung_hu)
    return answer


def _in_box(
    hu: npt.NDArray[np.float32], grid: Grid, box: _Box, seed: _Index
) -> NoduleRegion | NoRegion:
    finer = _finer(grid)
    (dz, dy, dx), (fz, fy, fx) = grid.spacing_mm, finer
    spacing = (dz / fz, dy / fy, dx / fx)
    place = tuple((s - b.start) * f for s, b, f in zip(seed, box, finer, strict=True))
    hu = _between(hu, finer)
    air = hu[hu < AIR_HU]
    if air.size < LUNG_IN_BOX * hu.size or np.median(air) <= ROOM_AIR_HU:
        return NoRegion("outside_lung")
    lung_hu = float(np.median(air))
    start = _densest(hu, place, spacing)
    level = float(min(hu[start], DENSEST_HU))
    if level < lung_hu + CONTRAST_HU:
        return NoRegion("seed_air", {"hu": round(float(hu[start]))})
    joined, depth, core = _around(hu, (level + lung_hu) / 2, start, spacing)
    inner = (_distance_to(core, hu.shape, spacing) <= 0.6 * depth[core]) & joined
    whole = float(min(np.median(hu[inner]), DENSEST_HU))
    if abs(whole - level) > LEVEL_HU:  # the level of the whole nodule, its extent being known
        level = max(whole, lung_hu + CONTRAST_HU)
        joined, depth, core = _around(hu, (level + lung_hu) / 2, start, spacing)
    cut = _cut_free(joined, depth, core, spacing, _at_edge(box, grid))
    if isinstance(cut, NoRegion):
        return cut
    if _lung_around(hu, cut, spacing) < LUNG_AROUND:
        return NoRegion("outside_lung")
    kept = cut[:: finer[0], :: finer[1], :: finer[2]]
    return NoduleRegion(np.asarray(kept), level, lung_hu)


def _finer(grid: Grid) -> _Index:
    """Steps between voxels along each axis that make them about as wide as they are narrow."""
    found = [max(1, round(s / min(grid.spacing_mm))) for s in grid.spacing_mm]
    return found[0], found[1], found[2]


def _between(hu: npt.NDArray[np.float32], finer: _Index) -> npt.NDArray[np.float32]:
    """Linear steps between slices that lie farther apart than pixels."""
    for axis, steps in enumerate(finer):
        if steps > 1 and hu.shape[axis] > 1:
            at = np.arange((hu.shape[axis] - 1) * steps + 1) / steps
            low = np.minimum(at.astype(int), hu.shape[axis] - 2)
            share = np.expand_dims(at - low, [a for a in range(3) if a != axis])
            below, above = np.take(hu, low, axis), np.take(hu, low + 1, axis)
            hu = (below * (1 - share) + above * share).astype(np.float32)
    return hu


def _lung_around(
    hu: npt.NDArray[np.float32], nodule: Mask, spacing: tuple[float, float, float]
) -> float:
    """Share of lung in a shell of about 3 mm around the nodule."""
    gap, shell = max(spacing), 3.0 + max(spacing)
    box = tuple(
        slice(max(0, int(w.min()) - int(shell / s) - 1), int(w.max()) + int(shell / s) + 2)
        for w, s in zip(np.nonzero(nodule), spacing, strict=True)
    )
    away = ndimage.distance_transform_edt(~nodule[box], sampling=spacing)
    around = hu[box][(away > gap) & (away <= shell)]
    return float((around < AIR_HU).mean()) if around.size else 1.0


def _around(
    hu: npt.NDArray[np.float32],
    boundary_hu: float,
    start: _Index,
    spacing: tuple[float, float, float],
) -> tuple[Mask, npt.NDArray[np.float64], _Index]:
    """What is joined to ``start`` above the boundary, its depth in mm, and its deepest place."""
    joined = _joined((hu >= boundary_hu) | _only(start, hu.shape), start)
    depth = ndimage.distance_transform_edt(joined, sampling=spacing)
    return joined, depth, _deepest(depth, start)


def _only(place: _Index, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, dtype=bool)
    mask[place] = True
    return mask


def _cut_free(
    joined: Mask,
    depth: npt.NDArray[np.float64],
    core: _Index,
    spacing: tuple[float, float, float],
    at_edge: npt.NDArray[np.bool_],
) -> Mask | NoRegion:
    """The part of ``joined`` around ``core`` that the smallest sufficient opening leaves alone."""
    radius = float(depth[core])
    leaks = NoRegion("leaks", {"rule_max": round(WIDEST_MM)})
    for share in OPENINGS:
        eroded = _joined(depth > share * radius, core)
        if _faces(eroded).any() or _width_mm(eroded, spacing) > WIDEST_MM:
            continue
        opened = _opened(eroded, joined, share * radius, spacing)
        faces = _faces(opened)
        if _width_mm(opened, spacing) > WIDEST_MM:
            continue
        if (faces & at_edge).any():
            return NoRegion("cut")
        if not faces.any():
            return opened
    return leaks


def _opened(
    eroded: Mask, joined: Mask, radius_mm: float, spacing: tuple[float, float, float]
) -> Mask:
    """``eroded`` grown back within ``joined``, and holes filled."""
    reach = [int(np.ceil(radius_mm / s)) + 2 for s in spacing]
    box = tuple(
        slice(max(0, int(w.min()) - r), int(w.max()) + r + 1)
        for w, r in zip(np.nonzero(eroded), reach, strict=True)
    )
    # A ball of voxels loses about half a voxel of its rim to an opening; that is given back.
    wide_mm = radius_mm + RIM * min(spacing)
    inner = ndimage.binary_fill_holes(_grown(eroded[box], wide_mm, spacing) & joined[box])
    opened = np.zeros(joined.shape, dtype=bool)
    opened[box] = inner
    return opened


def _faces(mask: Mask) -> npt.NDArray[np.bool_]:
    """bool[axis, side]: which faces of the box the mask touches."""
    return np.array([[bool(side.any()) for side in (p[0], p[-1])] for p in _planes(mask)])


def _planes(mask: Mask) -> Iterator[Mask]:
    for axis in range(3):
        yield np.moveaxis(mask, axis, 0)


def _width_mm(mask: Mask, spacing: tuple[float, float, float]) -> float:
    where = np.argwhere(mask)
    return float(((where.max(axis=0) - where.min(axis=0) + 1) * spacing).max())


def _box_around(seed: _Index, half_mm: float, grid: Grid) -> _Box:
    found = []
    for place, spacing, size in zip(seed, grid.spacing_mm, grid.shape, strict=True):
        reach = max(2, round(half_mm / spacing))
        found.append(slice(max(0, place - reach), min(size, place + reach + 1)))
    return found[0], found[1], found[2]


def _at_edge(box: _Box, grid: Grid) -> npt.NDArray[np.bool_]:
    """bool[axis, side]: whether a face of the box is the image's own."""
    pairs = [(b.start == 0, b.stop == n) for b, n in zip(box, grid.shape, strict=True)]
    return np.array(pairs, dtype=bool)


def _densest(
    hu: npt.NDArray[np.float32], place: tuple[int, ...], spacing: tuple[float, float, float]
) -> _Index:
    """The densest voxel near the click, noise smoothed away."""
    reach = [max(1, round(CLICK_MM / s)) for s in spacing]
    window = tuple(
        slice(max(0, p - r), min(n, p + r + 1))
        for p, r, n in zip(place, reach, hu.shape, strict=True)
    )
    smooth = ndimage.gaussian_filter(hu[window], [0.6 / s for s in spacing], mode="nearest")
    best = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    found = [int(b) + w.start for b, w in zip(best, window, strict=True)]
    return found[0], found[1], found[2]


def _joined(mask: npt.NDArray[np.bool_], place: _Index) -> Mask:
    """What is connected with ``place``, which is set."""
    labels, _ = ndimage.label(mask)
    return np.asarray(labels == labels[place])


def _deepest(depth: npt.NDArray[np.float64], start: _Index) -> _Index:
    """Climb from ``start`` to where the largest ball fits; a neck stops the way into the wall."""
    smooth = ndimage.gaussian_filter(depth, 0.7)
    at = start
    while True:
        window = tuple(slice(max(0, p - 1), p + 2) for p in at)
        best = np.unravel_index(int(np.argmax(smooth[window])), smooth[window].shape)
        found = [int(b) + w.start for b, w in zip(best, window, strict=True)]
        step = (found[0], found[1], found[2])
        if smooth[step] <= smooth[at]:
            return at
        at = step


def _distance_to(
    place: _Index, shape: tuple[int, ...], spacing: tuple[float, float, float]
) -> npt.NDArray[np.float64]:
    axes = [((np.arange(n) - p) * s) ** 2 for n, p, s in zip(shape, place, spacing, strict=True)]
    return np.asarray(
        np.sqrt(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :])
    )


def _grown(mask: Mask, radius_mm: float, spacing: tuple[float, float, float]) -> Mask:
    """Voxels within ``radius_mm`` of ``mask``."""
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing) <= radius_mm)
