"""The one place where voxel indices meet patient space.

Arrays are ``[z, y, x]``; patient space is DICOM LPS in millimetres (x to the patient's left, y to
the back, z to the head; PS3.3 §C.7.6.2.1.1). A :class:`Grid` may be oblique or flipped; nothing
here assumes axial slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ennead.errors import GeometryMissing, GeometryNonuniform, GridMismatch

FloatArray = npt.NDArray[np.float64]

#: Directions must be orthonormal within this; 1e-3 is about 0.06 degrees.
ORTHONORMAL_TOLERANCE = 1e-3
#: Slice positions may leave the regular stack by this fraction of the spacing.
UNIFORM_FRACTION = 0.01


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular voxel grid in patient space.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels along z (slices), y (rows), x (columns).
    origin_mm : (float, float, float)
        LPS position of the centre of voxel ``[0, 0, 0]``.
    axes : 3 × (float, float, float)
        Unit LPS vectors of the z, y and x array axes, in that order. Either handedness.
    spacing_mm : (float, float, float)
        Voxel spacing along z, y, x; all positive.
    frame_of_reference_uid : str
        Grids of different frames of reference never compare as equal.

    Raises
    ------
    GeometryMissing
        A value is not finite, or a size or spacing is not positive.
    GeometryNonuniform
        The axes are not orthonormal (a sheared, gantry-tilted stack).
    """

    shape: tuple[int, int, int]
    origin_mm: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    spacing_mm: tuple[float, float, float]
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        numbers = np.array([*self.origin_mm, *np.ravel(self.axes), *self.spacing_mm])
        if not np.isfinite(numbers).all() or min(self.spacing_mm) <= 0 or min(self.shape) < 1:
            raise GeometryMissing(
                "A grid needs finite numbers, positive spacing and at least one voxel per axis; "
                f"got shape {self.shape}, spacing {self.spacing_mm} mm, origin {self.origin_mm}."
            )
        directions = np.array(self.axes)
        if np.abs(directions @ directions.T - np.eye(3)).max() > ORTHONORMAL_TOLERANCE:
            raise GeometryNonuniform(
                "The three grid axes must be perpendicular unit vectors within "
                f"{ORTHONORMAL_TOLERANCE}; got {self.axes}. A gantry-tilted stack must be "
                "resampled before it is measured."
            )

    @property
    def affine(self) -> FloatArray:
        """float64[4, 4]: homogeneous ``(z, y, x, 1)`` index → LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = (np.array(self.axes) * np.array(self.spacing_mm)[:, None]).T
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(np.prod(self.spacing_mm))

    def to_patient(self, index_zyx: npt.ArrayLike) -> FloatArray:
        """LPS mm of (fractional) ``[..., 3]`` indices in z, y, x order."""
        index = np.asarray(index_zyx, dtype=np.float64)
        matrix = self.affine
        return np.asarray(index @ matrix[:3, :3].T + matrix[:3, 3])

    def to_index(self, point_mm: npt.ArrayLike) -> FloatArray:
        """Fractional z, y, x indices of ``[..., 3]`` LPS points in mm."""
        point = np.asarray(point_mm, dtype=np.float64)
        inverse = np.linalg.inv(self.affine)
        return np.asarray(point @ inverse[:3, :3].T + inverse[:3, 3])

    def same_as(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids put every voxel at the same place within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        if self.frame_of_reference_uid != other.frame_of_reference_uid:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        gap = np.abs(self.to_patient(corners) - other.to_patient(corners)).max()
        return bool(gap <= tolerance_mm)

    def require_same(self, other: Grid, what: str) -> None:
        """Raise :class:`GridMismatch` unless ``other`` is this grid."""
        if not self.same_as(other):
            raise GridMismatch(
                f"{what} must lie on the grid of its image: {self.shape} at {self.origin_mm} mm, "
                f"spacing {self.spacing_mm}; got {other.shape} at {other.origin_mm} mm, spacing "
                f"{other.spacing_mm}. Resample it first."
            )

    def canonical(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """How to bring arrays nearest to (feet→head, front→back, right→left) order.

        Returns
        -------
        (order, flip)
            ``np.flip(array.transpose(order), axes where flip)`` has its axes nearest to LPS
            z, y, x, each increasing. For an oblique grid this is the closest permutation.
        """
        cosines = np.array(self.axes)
        order: list[int] = []
        left = [0, 1, 2]
        for patient_axis in (2, 1, 0):
            best = max(left, key=lambda a: abs(cosines[a, patient_axis]))
            left.remove(best)
            order.append(best)
        flip = [bool(cosines[a, p] < 0) for a, p in zip(order, (2, 1, 0), strict=True)]
        return (order[0], order[1], order[2]), (flip[0], flip[1], flip[2])

    def reordered(self, order: Sequence[int], flip: Sequence[bool]) -> Grid:
        """The grid of an array after ``transpose(order)`` and then flipping axes where ``flip``."""
        shape = tuple(self.shape[a] for a in order)
        index = np.zeros(3)
        for position, axis in enumerate(order):
            index[axis] = shape[position] - 1 if flip[position] else 0
        axes = tuple(
            tuple(float(-c if flip[n] else c) for c in self.axes[a]) for n, a in enumerate(order)
        )
        return Grid(
            shape=(shape[0], shape[1], shape[2]),
            origin_mm=tuple(float(v) for v in self.to_patient(index)),  # type: ignore[arg-type]
            axes=axes,  # type: ignore[arg-type]
            spacing_mm=tuple(self.spacing_mm[a] for a in order),  # type: ignore[arg-type]
            frame_of_reference_uid=self.frame_of_reference_uid,
        )


def stack_grid(
    positions_mm: Sequence[Sequence[float]],
    orientation: Sequence[float],
    pixel_spacing_mm: Sequence[float],
    rows: int,
    columns: int,
    frame_of_reference_uid: str,
) -> tuple[Grid, list[int]]:
    """The grid of a stack of parallel slices, and the order of the slices in it.

    Parameters
    ----------
    positions_mm : n × 3
        ImagePositionPatient of each slice, in any order.
    orientation : 6
        ImageOrientationPatient, common to all slices: along a row, then along a column.
    pixel_spacing_mm : 2
        PixelSpacing: between rows, then between columns.

    Returns
    -------
    (Grid, list of int)
        Slices sorted along the row × column normal (PS3.3 §C.7.6.2.1.1); for a single slice the
        z spacing is 1 mm and means nothing.

    Raises
    ------
    GeometryNonuniform
        Duplicate positions, a gap that varies by more than 1 %, or slices that are shifted
        sideways (gantry tilt).
    """
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(row, column)
    points = np.asarray(positions_mm, dtype=np.float64)
    if not np.isfinite(points).all() or not np.isfinite(np.array(orientation)).all():
        raise GeometryMissing("Slice positions and orientation must be finite numbers.")
    along = points @ normal
    order = [int(i) for i in np.argsort(along, kind="stable")]
    spacing_z = 1.0
    if len(order) > 1:
        steps = np.diff(points[order], axis=0)
        gaps = steps @ normal
        spacing_z = float(np.median(gaps))
        if gaps.min() <= 1e-4:
            raise GeometryNonuniform(
                "Each slice needs its own position; two slices lie at the same place "
                f"({int((gaps <= 1e-4).sum())} duplicates)."
            )
        if np.abs(gaps - spacing_z).max() > UNIFORM_FRACTION * spacing_z:
            raise GeometryNonuniform(
                f"Slice gaps must agree within 1 %; they run from {gaps.min():.3f} to "
                f"{gaps.max():.3f} mm (median {spacing_z:.3f} mm). Slices may be missing."
            )
        sideways = np.abs(steps - np.outer(gaps, normal)).max()
        if sideways > UNIFORM_FRACTION * spacing_z:
            raise GeometryNonuniform(
                f"Slices must be stacked along their normal; they shift sideways by "
                f"{sideways:.3f} mm a slice (gantry tilt). Resample the stack first."
            )
        normal = (points[order[-1]] - points[order[0]]) / np.linalg.norm(
            points[order[-1]] - points[order[0]]
        )

    def vector(v: FloatArray) -> tuple[float, float, float]:
        return (float(v[0]), float(v[1]), float(v[2]))

    grid = Grid(
        shape=(len(order), int(rows), int(columns)),
        origin_mm=vector(points[order[0]]),
        axes=(vector(normal), vector(column), vector(row)),
        spacing_mm=(spacing_z, float(pixel_spacing_mm[0]), float(pixel_spacing_mm[1])),
        frame_of_reference_uid=frame_of_reference_uid,
    )
    return grid, order
