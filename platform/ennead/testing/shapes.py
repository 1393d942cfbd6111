"""Solids in patient space, painted exactly (by voxel centre) into arrays on any grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ennead.geometry import Grid

Point = tuple[float, float, float]
Coordinates = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]


class Solid(Protocol):
    """A set of points in LPS millimetres."""

    def bounds(self) -> tuple[Point, Point]:
        """Lowest and highest corner of a box around it."""
        ...

    def contains(self, x: Any, y: Any, z: Any) -> npt.NDArray[np.bool_]:
        """Whether points with these (broadcastable) coordinates lie inside."""
        ...


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An axis-parallel ellipsoid; volume 4/3·π·abc."""

    centre_mm: Point
    semi_axes_mm: Point

    @property
    def volume_mm3(self) -> float:
        """Analytic volume."""
        return float(4.0 / 3.0 * np.pi * np.prod(self.semi_axes_mm))

    def bounds(self) -> tuple[Point, Point]:
        """See :class:`Solid`."""
        return _around(self.centre_mm, self.semi_axes_mm)

    def contains(self, x: Any, y: Any, z: Any) -> npt.NDArray[np.bool_]:
        """See :class:`Solid`."""
        terms = [
            ((v - c) / a) ** 2
            for v, c, a in zip((x, y, z), self.centre_mm, self.semi_axes_mm, strict=True)
        ]
        return np.asarray(terms[0] + terms[1] + terms[2] <= 1.0)


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel box."""

    low_mm: Point
    high_mm: Point

    def bounds(self) -> tuple[Point, Point]:
        """See :class:`Solid`."""
        return self.low_mm, self.high_mm

    def contains(self, x: Any, y: Any, z: Any) -> npt.NDArray[np.bool_]:
        """See :class:`Solid`."""
        inside = np.asarray(True)
        for v, low, high in zip((x, y, z), self.low_mm, self.high_mm, strict=True):
            inside = inside & (v >= low) & (v <= high)
        return inside


@dataclass(frozen=True, slots=True)
class EllipticTube:
    """Everything inside an ellipse in x and y, between two heights; hollow with ``inner``."""

    centre_mm: tuple[float, float]
    semi_axes_mm: tuple[float, float]
    z_mm: tuple[float, float]
    inner_mm: tuple[float, float] | None = None

    def bounds(self) -> tuple[Point, Point]:
        """See :class:`Solid`."""
        (x, y), (a, b) = self.centre_mm, self.semi_axes_mm
        return (x - a, y - b, self.z_mm[0]), (x + a, y + b, self.z_mm[1])

    def contains(self, x: Any, y: Any, z: Any) -> npt.NDArray[np.bool_]:
        """See :class:`Solid`."""

        def within(axes: tuple[float, float]) -> Any:
            dx, dy = (x - self.centre_mm[0]) / axes[0], (y - self.centre_mm[1]) / axes[1]
            return dx**2 + dy**2 <= 1.0

        inside = within(self.semi_axes_mm) & (z >= self.z_mm[0]) & (z <= self.z_mm[1])
        return np.asarray(inside & ~within(self.inner_mm) if self.inner_mm else inside)


@dataclass(frozen=True, slots=True)
class Tube:
    """A straight cylinder with flat ends between two points."""

    start_mm: Point
    end_mm: Point
    radius_mm: float

    @property
    def volume_mm3(self) -> float:
        """Analytic volume."""
        length = float(np.linalg.norm(np.subtract(self.end_mm, self.start_mm)))
        return float(np.pi) * self.radius_mm**2 * length

    def bounds(self) -> tuple[Point, Point]:
        """See :class:`Solid`."""
        ends = np.array([self.start_mm, self.end_mm])
        low, high = ends.min(axis=0) - self.radius_mm, ends.max(axis=0) + self.radius_mm
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def contains(self, x: Any, y: Any, z: Any) -> npt.NDArray[np.bool_]:
        """See :class:`Solid`."""
        axis = np.subtract(self.end_mm, self.start_mm)
        length = float(np.linalg.norm(axis))
        ux, uy, uz = (float(v) for v in axis / length)
        dx, dy, dz = x - self.start_mm[0], y - self.start_mm[1], z - self.start_mm[2]
        along = dx * ux + dy * uy + dz * uz
        across = dx * dx + dy * dy + dz * dz - along * along
        return np.asarray((along >= 0) & (along <= length) & (across <= self.radius_mm**2))

    def volume_inside_mm3(self, ellipsoid: Ellipsoid, rings: int = 64) -> float:
        """Volume shared with ``ellipsoid``.

        The chord of each line parallel to the axis is exact; chords are summed over the cross
        section with Gauss-Legendre rings. No voxel is involved.
        """
        start, end = np.array(self.start_mm), np.array(self.end_mm)
        length = float(np.linalg.norm(end - start))
        axis = (end - start) / length
        side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
        side /= np.linalg.norm(side)
        other = np.cross(axis, side)
        nodes, weights = np.polynomial.legendre.leggauss(rings)
        radius = (nodes + 1) / 2 * self.radius_mm
        angle = (np.arange(4 * rings) + 0.5) / (4 * rings) * 2 * np.pi
        ring, turn = np.meshgrid(radius, angle, indexing="ij")
        foot = start + ring[..., None] * (
            np.cos(turn)[..., None] * side + np.sin(turn)[..., None] * other
        )
        scale = np.array(ellipsoid.semi_axes_mm)
        p, d = (foot - ellipsoid.centre_mm) / scale, axis / scale
        a, b, c = d @ d, p @ d, (p * p).sum(axis=-1) - 1.0
        root = np.sqrt(np.maximum(b * b - a * c, 0.0))
        enter, leave = np.clip((-b - root) / a, 0, length), np.clip((-b + root) / a, 0, length)
        area = weights[:, None] / 2 * self.radius_mm * ring * (2 * np.pi / angle.size)
        return float(((leave - enter) * area).sum())


def _around(centre: Point, reach: Point) -> tuple[Point, Point]:
    low = tuple(c - r for c, r in zip(centre, reach, strict=True))
    high = tuple(c + r for c, r in zip(centre, reach, strict=True))
    return low, high  # type: ignore[return-value]


def block_of(grid: Grid, solid: Solid) -> tuple[slice, slice, slice]:
    """The part of the grid's array that may hold voxels of ``solid``; may be empty."""
    corners = np.array(list(product(*zip(*solid.bounds(), strict=True))))
    index = grid.to_index(corners)
    low = np.floor(index.min(axis=0)).astype(int)
    high = np.ceil(index.max(axis=0)).astype(int) + 1
    parts = [
        slice(max(0, int(a)), max(0, min(n, int(b))))
        for a, b, n in zip(low, high, grid.shape, strict=True)
    ]
    return parts[0], parts[1], parts[2]


def coordinates(grid: Grid, block: tuple[slice, slice, slice]) -> Iterator[npt.NDArray[np.float32]]:
    """LPS x, y and z of the voxels of ``block``, each float32[z, y, x]."""
    matrix = grid.affine
    index = [np.arange(s.start, s.stop, dtype=np.float64) for s in block]
    for row in range(3):
        parts = [matrix[row, a] * index[a] for a in range(3)]
        total = parts[0][:, None, None] + parts[1][None, :, None] + parts[2][None, None, :]
        yield (total + matrix[row, 3]).astype(np.float32)


def paint(
    grid: Grid, solid: Solid, *targets: tuple[npt.NDArray[Any], float]
) -> tuple[tuple[slice, slice, slice], npt.NDArray[np.bool_]]:
    """Set the voxels whose centre lies in ``solid``, in each (array, value) of ``targets``.

    Returns
    -------
    (block, bool[z, y, x])
        Where the solid lies, and which voxels of that block are inside.
    """
    block = block_of(grid, solid)
    inside = np.broadcast_to(
        solid.contains(*coordinates(grid, block)),
        tuple(s.stop - s.start for s in block),
    )
    for array, value in targets:
        array[block][inside] = value
    return block, inside
