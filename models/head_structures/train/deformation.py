"""Where a training image's voxels lie in the label map: turn, stretch, bend, shift, mirror."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Generator, Tensor
from torch.nn import functional

from network_training.randomness import uniform

#: Spacing of the network's grid, in mm.
GRID_MM: Final = 2.0
Shape = tuple[int, int, int]


def grid_mm(shape: Shape) -> Tensor:
    """float32[x, y, z, 3]: position of each voxel from the grid's centre, in mm."""
    axes = [(torch.arange(length) - (length - 1) / 2) * GRID_MM for length in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def rotation(degrees: tuple[float, float, float]) -> Tensor:
    """float32[3, 3]: turn about x, then y, then z."""
    matrix = torch.eye(3)
    for axis, angle in enumerate(degrees):
        radians = math.radians(angle)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn = torch.eye(3)
        turn[one, one] = turn[two, two] = math.cos(radians)
        turn[one, two], turn[two, one] = -math.sin(radians), math.sin(radians)
        matrix = turn @ matrix
    return matrix


def smooth_noise(rng: Generator, shape: Shape, cells: int, channels: int = 1) -> Tensor:
    """float32[c, x, y, z]: normal numbers on ``cells`` points a side, filled in linearly."""
    coarse = torch.randn((1, channels, cells, cells, cells), generator=rng)
    fine: Tensor = functional.interpolate(coarse, shape, mode="trilinear", align_corners=True)
    return fine[0]


def draw_positions(rng: Generator, shape: Shape, centre: tuple[float, float, float]) -> Tensor:
    """Position in the label map (voxels of 1 mm) of each voxel of a training image.

    Parameters
    ----------
    rng : Generator
    shape : three int
        Of the image at 2 mm.
    centre : three float
        Middle of the brain in the label map.

    Returns
    -------
    float32[x, y, z, 3]
    """
    angles = [uniform(rng, -18, 18) for _ in range(3)]
    size = uniform(rng, 0.88, 1.12)
    scale = torch.tensor([size * uniform(rng, 0.94, 1.06) for _ in range(3)])
    shear = torch.eye(3) + 0.04 * torch.randn((3, 3), generator=rng).triu(1)
    matrix = rotation((angles[0], angles[1], angles[2])) @ shear @ torch.diag(1 / scale)
    shift = torch.tensor([uniform(rng, -12, 12), uniform(rng, -18, 18), uniform(rng, -22, 22)])
    positions = (grid_mm(shape) + shift) @ matrix.T
    bend_mm = uniform(rng, 0.0, 3.5)
    coarse = smooth_noise(rng, shape, 5, 3) * 1.5 * bend_mm
    fine = smooth_noise(rng, shape, 10, 3) * 0.5 * bend_mm
    return positions + (coarse + fine).movedim(0, -1) + torch.tensor(centre)


def take(values: Tensor, positions: Tensor) -> Tensor:
    """Value of the label map at the nearest voxel of each position; 0 outside.

    Parameters
    ----------
    values : uint8[a, b, c]
    positions : float32[x, y, z, 3]
        In voxels of ``values``.

    Returns
    -------
    uint8[x, y, z]
    """
    index = positions.round().long()
    limit = torch.tensor(values.shape)
    inside = ((index >= 0) & (index < limit)).all(-1)
    index = index.clamp_(min=0).minimum(limit - 1)
    flat = (index[..., 0] * limit[1] + index[..., 1]) * limit[2] + index[..., 2]
    return values.flatten()[flat] * inside
