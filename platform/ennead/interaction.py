"""What a reader places on the images for an interactive function, as values a package works with.

Every place is in patient LPS mm and names the image (SOP Instance UID) it was placed on. The
platform has checked before the function runs that places lie inside the volume and on their image,
that numbers keep their bounds, and that a mask exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from ennead.contracts import ClinicalFact, ModelAnswer, ProgressSink, Volume
from ennead.errors import ContractError
from ennead.findings import Mask
from ennead.identifiers import InstanceUID, TrackingUID

PointMM = tuple[float, float, float]
"""x, y, z in LPS mm."""

Plane = tuple[int, npt.NDArray[np.bool_]]
"""Index of a slice along z, and bool[y, x] on it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place; a ``seed`` is one that something grows from."""

    instance_uid: InstanceUID
    position_mm: PointMM

    def index(self, volume: Volume) -> tuple[int, int, int]:
        """The voxel that holds it: z, y, x."""
        z, y, x = np.rint(volume.grid.to_index(self.position_mm)).astype(int)
        return int(z), int(y), int(x)


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line on one image."""

    instance_uid: InstanceUID
    start_mm: PointMM
    end_mm: PointMM

    @property
    def length_mm(self) -> float:
        """Distance between its ends."""
        return float(np.linalg.norm(np.subtract(self.end_mm, self.start_mm)))


@dataclass(frozen=True, slots=True)
class ROI:
    """An ellipse or a rectangle on one image.

    Parameters
    ----------
    points_mm : 4 × (x, y, z)
        Ellipse: both ends of one axis, then both ends of the other. Rectangle: its corners, in
        turn.
    """

    instance_uid: InstanceUID
    shape: Literal["ellipse", "rectangle"]
    points_mm: tuple[PointMM, PointMM, PointMM, PointMM]

    @property
    def area_mm2(self) -> float:
        """Area of the shape itself, not of voxels."""
        points = np.array(self.points_mm)
        if self.shape == "ellipse":
            a, b = (np.linalg.norm(points[n + 1] - points[n]) / 2 for n in (0, 2))
            return float(np.pi * a * b)
        return float(np.linalg.norm(np.cross(points[1] - points[0], points[3] - points[0])))

    def plane(self, volume: Volume) -> Plane:
        """Voxels of its slice whose centre lies inside."""
        k = volume.instance_uids.index(self.instance_uid)
        index = volume.grid.to_index(self.points_mm)[:, 1:]
        shape = volume.grid.shape[1:]
        if self.shape == "rectangle":
            return k, inside_polygon(index, shape)
        spacing = np.array(volume.grid.spacing_mm[1:])
        ends = index * spacing
        centre = ends.mean(axis=0)
        half = np.array([(ends[1] - ends[0]) / 2, (ends[3] - ends[2]) / 2])
        rows, columns = (np.arange(n) * s for n, s in zip(shape, spacing, strict=True))
        dy, dx = rows[:, None] - centre[0], columns[None, :] - centre[1]
        along = [(dy * a[0] + dx * a[1]) / max(float(a @ a), 1e-12) for a in half]
        return k, np.asarray(along[0] ** 2 + along[1] ** 2 <= 1.0)

    def mask(self, volume: Volume) -> Mask:
        """bool[z, y, x]: :meth:`plane` in its volume."""
        return in_volume(volume, [self.plane(volume)])


@dataclass(frozen=True, slots=True)
class Contour:
    """A closed polygon on one image; the last point is joined to the first."""

    instance_uid: InstanceUID
    points_mm: tuple[PointMM, ...]

    def plane(self, volume: Volume) -> Plane:
        """Voxels of its slice whose centre lies inside (even-odd rule)."""
        k = volume.instance_uids.index(self.instance_uid)
        index = volume.grid.to_index(self.points_mm)[:, 1:]
        return k, inside_polygon(index, volume.grid.shape[1:])

    def mask(self, volume: Volume) -> Mask:
        """bool[z, y, x]: :meth:`plane` in its volume."""
        return in_volume(volume, [self.plane(volume)])


@dataclass(frozen=True, slots=True)
class MaskEdit:
    """A stored segment, and what the reader made of it.

    Parameters
    ----------
    before, mask : bool[z, y, x]
        As stored, and after painting and erasing; on the grid of the volume. ``mask`` may select
        nothing.
    tracking_uid : TrackingUID
        Of the segment; give it to the finding that rests on the edited one, which is then the same
        finding, edited.
    segment_label : str
        As stored.
    """

    seg_instance_uid: InstanceUID
    segment_number: int
    segment_label: str
    tracking_uid: TrackingUID
    before: Mask
    mask: Mask


InteractionValue = Point | tuple[Point, ...] | Line | ROI | Contour | MaskEdit | float | str
"""A value of :attr:`FunctionContext.inputs`."""

_Value = TypeVar("_Value", Point, Line, ROI, Contour, MaskEdit, float, str)


def _silent(fraction: float, text_key: str) -> None:
    del fraction, text_key


@dataclass(frozen=True, slots=True)
class FunctionContext:
    """What an interactive function is given; like a pipeline, it sees nothing else.

    Parameters
    ----------
    volume : Volume
        The series that the reader looks at; it meets the rules of the manifest input.
    inputs : mapping
        Input name → value; an optional input that was not given is absent.
    thresholds : mapping
        The site's values.
    clinical : sequence of ClinicalFact
        The facts that the manifest names and that are known.
    models : mapping
        Those of the manifest's models that are installed and active, by id.
    """

    volume: Volume
    inputs: Mapping[str, InteractionValue]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    clinical: Sequence[ClinicalFact] = ()
    progress: ProgressSink = _silent
    models: Mapping[str, Callable[[Volume], ModelAnswer]] = field(default_factory=dict)

    def given(self, name: str, kind: type[_Value]) -> _Value:
        """The input ``name``, which the manifest promises to be a ``kind``.

        Raises
        ------
        ContractError
            It is absent or something else: manifest and function disagree.
        """
        value = self.optional(name, kind)
        if value is None:
            raise ContractError(f"Input {name!r} was not given; make it required in package.toml.")
        return value

    def optional(self, name: str, kind: type[_Value]) -> _Value | None:
        """The input ``name``, or None when it was not given; see :meth:`given`."""
        value = self.inputs.get(name)
        if value is not None and not isinstance(value, kind):
            raise ContractError(
                f"Input {name!r} is a {type(value).__name__}; the function asks for a "
                f"{kind.__name__}. Make its kind in package.toml and the function agree."
            )
        return value

    def points(self, name: str) -> tuple[Point, ...]:
        """The places of a ``points`` input; none when it was not given."""
        value = self.inputs.get(name, ())
        if not isinstance(value, tuple):
            raise ContractError(f"Input {name!r} is a {type(value).__name__}, not points.")
        return value


def in_volume(volume: Volume, planes: Sequence[Plane]) -> Mask:
    """bool[z, y, x] of ``volume`` that holds ``planes`` and nothing else."""
    mask = np.zeros(volume.grid.shape, dtype=bool)
    for k, plane in planes:
        mask[k] |= plane
    return mask


def inside_polygon(vertices_yx: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Voxels whose centre lies inside a closed polygon, by the even-odd rule.

    Parameters
    ----------
    vertices_yx : float[n, 2]
        Fractional row and column of each corner.
    shape : (int, int)
        Rows and columns of the answer.

    Returns
    -------
    bool[y, x]
        A centre exactly on an edge belongs to the polygon on its lower, right side alone, so that
        neighbours share no voxel.
    """
    vertices = np.asarray(vertices_yx, dtype=np.float64)
    inside = np.zeros((int(shape[0]), int(shape[1])), dtype=bool)
    begin, end = vertices, np.roll(vertices, -1, axis=0)
    first = max(0, int(np.ceil(vertices[:, 0].min())))
    last = min(inside.shape[0] - 1, int(np.floor(vertices[:, 0].max())))
    for row in range(first, last + 1):
        crossed = (begin[:, 0] <= row) != (end[:, 0] <= row)
        if not crossed.any():
            continue
        a, b = begin[crossed], end[crossed]
        at = np.sort(a[:, 1] + (row - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]))
        columns = np.clip(np.ceil(at), 0, inside.shape[1]).astype(int)
        for left, right in zip(columns[::2], columns[1::2], strict=True):
            inside[row, left:right] = True
    return inside
