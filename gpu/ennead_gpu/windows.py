"""Where tiles lie, and how much each of their voxels weighs; both as in MONAI."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

#: Standard deviation of the Gaussian, as a share of the tile (MONAI's ``sigma_scale``).
SIGMA_SHARE: Final = 0.125
#: No voxel of a tile weighs less.
LEAST_WEIGHT: Final = 1e-3

Start = tuple[int, int, int]
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Windows:
    """The tiles of one image.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels of the image.
    tile : (int, int, int)
        Voxels of a tile.
    axes : 3 × tuple of int
        First voxel of the tiles along each axis.
    """

    shape: tuple[int, int, int]
    tile: tuple[int, int, int]
    axes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(
        cls,
        shape: tuple[int, int, int],
        tile: tuple[int, int, int],
        overlaps: tuple[float, float, float],
    ) -> Windows:
        """Tiles at regular steps; the last one of a row is moved back to end with the image."""
        axes = [_starts(*one) for one in zip(shape, tile, overlaps, strict=True)]
        return cls(shape, tile, (axes[0], axes[1], axes[2]))

    @property
    def extent(self) -> tuple[int, int, int]:
        """Voxels of a tile that lie in the image."""
        found = [min(n, t) for n, t in zip(self.shape, self.tile, strict=True)]
        return found[0], found[1], found[2]

    @property
    def inner(self) -> Slices:
        """The part of a tile that lies in the image; the rest is padding."""
        found = []
        for n, t in zip(self.shape, self.tile, strict=True):
            before = max(t - n, 0) // 2
            found.append(slice(before, before + min(n, t)))
        return found[0], found[1], found[2]

    def at(self, start: Start) -> Slices:
        """The part of the image under the tile that starts there."""
        found = [slice(s, s + e) for s, e in zip(start, self.extent, strict=True)]
        return found[0], found[1], found[2]

    def starts(self, low: int, high: int) -> list[Start]:
        """Tiles that cover some of the rows ``low`` to ``high`` (exclusive), z first, x last."""
        rows = [y for y in self.axes[1] if y < high and y + self.extent[1] > low]
        return [(z, y, x) for z in self.axes[0] for y in rows for x in self.axes[2]]


def _starts(length: int, tile: int, overlap: float) -> tuple[int, ...]:
    if tile >= length:
        return (0,)
    step = max(1, int(tile * (1 - overlap)))
    count = -(-(length - tile) // step) + 1
    return tuple(min(n * step, length - tile) for n in range(count))


@lru_cache(maxsize=16)
def importance_map(tile: tuple[int, int, int], weights: str) -> torch.Tensor:
    """Weights of a tile's voxels, made once for each tile size. Do not change it in place.

    Returns
    -------
    float32[z, y, x]
        Bit for bit MONAI's ``compute_importance_map`` on the CPU: a Gaussian over the tile, no
        weight below the larger of 0.001 and its own least value.
    """
    import torch

    if weights == "constant":
        return torch.ones(tile)
    made = torch.ones(())
    for axis, length in enumerate(tile):
        half = (length - 1) / 2.0
        x = torch.arange(start=-half, end=half + 1, dtype=torch.float)
        x = torch.exp(x**2 / (-2 * (length * SIGMA_SHARE) ** 2))
        made = made.unsqueeze(-1) * x[(None,) * axis] if axis else x
    return made.clamp_(min=max(float(made.min()), LEAST_WEIGHT))
