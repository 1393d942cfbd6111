"""Reading a volume at other planes, axis by axis. Imported by workers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

#: An axis that shrinks by at least this factor is smoothed to the new voxel's width.
ANTI_ALIAS_FROM: Final = 2.0
#: Fractions of a voxel that count as rounding.
_EPSILON: Final = 1e-4


def resize(volume: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """Resample so that the outer faces of the first and last voxels stay where they are.

    Parameters
    ----------
    volume : float32[z, y, x]
    shape : (int, int, int)
        Voxels afterwards.

    Returns
    -------
    float32[z, y, x]
        Trilinear; along axes that shrink to half or less, the mean of the linear image over each
        new voxel.
    """
    import torch
    from torch.nn.functional import interpolate

    for axis in (2, 1, 0):
        if volume.shape[axis] >= ANTI_ALIAS_FROM * shape[axis]:
            weights = torch.from_numpy(_means(volume.shape[axis], shape[axis])).to(volume.device)
            volume = torch.tensordot(weights, volume, dims=([1], [axis])).movedim(0, axis)
    if tuple(volume.shape) == shape:
        return volume
    made = interpolate(volume[None, None], size=shape, mode="trilinear", align_corners=False)
    return made[0, 0]


def _means(count: int, wanted: int) -> npt.NDArray[np.float32]:
    """float32[wanted, count]: means over ``wanted`` equal parts of an axis of ``count`` planes.

    The image is linear between the planes' centres and even beyond the first and last one; a
    linear image thus keeps its value at each place, which a sampled smoothing kernel cannot give.
    """
    faces = np.arange(wanted + 1) * (count / wanted) - 0.5
    # Integral, up to each face, of a hat of width 2 over each plane and one beyond either end.
    t = faces[:, None] - np.arange(-1, count + 1)
    hats = np.where(t < 0, np.clip(1 + t, 0, None) ** 2 / 2, 1 - np.clip(1 - t, 0, None) ** 2 / 2)
    parts = np.diff(hats, axis=0)
    weights = parts[:, 1:-1]
    weights[:, 0] += parts[:, 0]
    weights[:, -1] += parts[:, -1]
    return np.asarray(weights * (wanted / count), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class AxisSamples:
    """Where the planes to be made cut one axis of a volume.

    Parameters
    ----------
    nearest, below, above : int64[n]
        Planes of the volume: the nearest one, and those on both sides.
    weight : float32[n]
        Share of ``above``.
    inside : bool[n]
        Whether the plane's centre lies in the volume's box.
    """

    nearest: npt.NDArray[np.int64]
    below: npt.NDArray[np.int64]
    above: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    inside: npt.NDArray[np.bool_]

    @classmethod
    def at(cls, places: npt.NDArray[np.float64], count: int, rising: bool) -> AxisSamples:
        """Samples at fractional indices of an axis with ``count`` planes.

        Parameters
        ----------
        rising : bool
            Whether the axis runs towards left, back or head. A place half-way between two planes
            takes the one nearer right, front or feet, however the array is stored.
        """
        half = 0.5 - _EPSILON if rising else 0.5 + _EPSILON
        last = count - 1
        closest, below = np.floor(places + half), np.floor(places)
        return cls(
            nearest=np.clip(closest, 0, last).astype(np.int64),
            below=np.clip(below, 0, last).astype(np.int64),
            above=np.clip(below + 1, 0, last).astype(np.int64),
            weight=(places - below).astype(np.float32),
            inside=(closest >= 0) & (closest <= last),
        )

    def reached(self, first: int, last: int) -> tuple[int, int]:
        """Range of planes to be made that planes ``first`` to ``last`` have a share in."""
        near = (self.above >= first) & (self.below <= last)
        where = np.flatnonzero(near)
        return (int(where[0]), int(where[-1]) + 1) if where.size else (0, 0)

    def cut(self, low: int, high: int) -> AxisSamples:
        """The planes ``low`` to ``high`` (exclusive) of these."""
        part = slice(low, high)
        return AxisSamples(
            self.nearest[part],
            self.below[part],
            self.above[part],
            self.weight[part],
            self.inside[part],
        )


Samples = tuple[AxisSamples, AxisSamples, AxisSamples]


def nearest(volume: torch.Tensor, samples: Samples) -> torch.Tensor:
    """The volume's nearest voxels; 0 outside its box."""
    import torch

    for axis, sample in enumerate(samples):
        index = torch.from_numpy(sample.nearest).to(volume.device)
        volume = volume.index_select(axis, index)
    return _outside_is_zero(volume, samples)


def lerp(volume: torch.Tensor, samples: Samples) -> torch.Tensor:
    """Trilinear values of a float32 volume; 0 outside its box."""
    import torch

    for axis, sample in enumerate(samples):
        below = volume.index_select(axis, torch.from_numpy(sample.below).to(volume.device))
        above = volume.index_select(axis, torch.from_numpy(sample.above).to(volume.device))
        shape = [-1 if a == axis else 1 for a in range(3)]
        weight = torch.from_numpy(sample.weight).to(volume.device).reshape(shape)
        volume = below.lerp_(above, weight.expand_as(above))
    return _outside_is_zero(volume, samples)


def _outside_is_zero(volume: torch.Tensor, samples: Samples) -> torch.Tensor:
    for axis, sample in enumerate(samples):
        for plane in np.flatnonzero(~sample.inside):
            volume.select(axis, int(plane)).zero_()
    return volume
