"""Cubes around a seed: for training, turned and changed at random; for use, as they are."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from network_training.randomness import uniform
from pet_tumour.train.data import PetCase
from pet_tumour.train.network import GRID_MM, SIDE

#: The images end 5 cm beyond the tumour. Up to this much is cut off each side in training, lest the
#: network learn where the tumour ends from where the image ends.
_MARGIN_MM: Final = 46.0


class Cube(NamedTuple):
    """``suv`` float32[64, 64, 64] and ``tumour`` bool[64, 64, 64] around a seed; 4 mm."""

    suv: Tensor
    tumour: Tensor


def grid_mm() -> Tensor:
    """float32[64, 64, 64, 3]: position of each voxel of the cube from the seed, in mm."""
    axis = (torch.arange(SIDE) - SIDE // 2) * GRID_MM
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def sample(values: Tensor, positions: Tensor) -> Tensor:
    """Linear interpolation; 0 outside.

    Parameters
    ----------
    values : float32[a, b, c]
    positions : float32[x, y, z, 3]
        In voxels of ``values``.
    """
    size = torch.tensor(values.shape)
    grid = ((2 * positions + 1) / size - 1).flip(-1)
    out: Tensor = functional.grid_sample(
        values[None, None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return out[0, 0]


def cube_at(case: PetCase, seed: Tensor, matrix: Tensor | None = None) -> Cube:
    """The cube around a seed.

    Parameters
    ----------
    case : PetCase
    seed : float32[3]
        In voxels of the case.
    matrix : float32[3, 3], optional
        Turns and scales the cube about the seed.
    """
    offset = grid_mm() if matrix is None else grid_mm() @ matrix.T
    positions = seed + offset / case.spacing_mm
    return Cube(sample(case.suv, positions), sample(case.tumour.float(), positions) >= 0.5)


def back_to_case(cube: Tensor, case: PetCase, seed: Tensor) -> Tensor:
    """Values of a cube at the voxels of the case; 0 outside the cube.

    Parameters
    ----------
    cube : float32[64, 64, 64]
    case : PetCase
    seed : float32[3]
        Where the cube was taken.
    """
    axes = [torch.arange(length, dtype=torch.float32) for length in case.suv.shape]
    voxels = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    return sample(cube, (voxels - seed) * case.spacing_mm / GRID_MM + SIDE // 2)


def draw_seed(case: PetCase, rng: Generator) -> Tensor:
    """A click in the tumour, more often where it is hot, half a voxel to each side at random."""
    inside = case.tumour.nonzero()
    suv = case.suv[case.tumour].clamp(min=0.05)
    pick = int(torch.multinomial(suv ** uniform(rng, 0.5, 2.0), 1, generator=rng))
    return inside[pick].float() + torch.rand(3, generator=rng) - 0.5


def cut_sides(case: PetCase, rng: Generator, most_mm: float = _MARGIN_MM) -> PetCase:
    """The case with up to ``most_mm`` emptied at each of its six sides."""
    suv = case.suv.clone()
    for axis in range(3):
        most = int(most_mm / float(case.spacing_mm[axis]))
        low, high = (int(uniform(rng, 0, most + 1)) for _ in range(2))
        suv.narrow(axis, 0, low).zero_()
        suv.narrow(axis, suv.shape[axis] - high, high).zero_()
    return case._replace(suv=suv)


def draw_cube(case: PetCase, rng: Generator) -> Cube:
    """A training cube: seed, sides, turn, size, mirror, dose, sharpness and noise at random."""
    seed = draw_seed(case, rng)
    if uniform(rng, 0, 1) < 0.8:
        case = cut_sides(case, rng)
    cube = cube_at(case, seed, _draw_matrix(rng))
    suv = cube.suv * uniform(rng, 0.6, 1.5)
    if uniform(rng, 0, 1) < 0.5:
        suv = _blur(suv, uniform(rng, 0.3, 1.0))
    noise = torch.randn(suv.shape, generator=rng) * uniform(rng, 0.0, 0.12)
    return Cube((suv + noise * suv.clamp(min=0).sqrt()).clamp(min=0), cube.tumour)


def _draw_matrix(rng: Generator) -> Tensor:
    matrix = torch.diag(torch.where(torch.rand(3, generator=rng) < 0.5, -1.0, 1.0))
    for axis in range(3):
        angle = math.radians(uniform(rng, -25, 25))
        turn = torch.eye(3)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn[one, one] = turn[two, two] = math.cos(angle)
        turn[one, two], turn[two, one] = -math.sin(angle), math.sin(angle)
        matrix = turn @ matrix
    return matrix * uniform(rng, 0.75, 1.35)


def _blur(suv: Tensor, sigma: float) -> Tensor:
    at = torch.arange(-3, 4, dtype=torch.float32)
    kernel = (-0.5 * (at / sigma) ** 2).exp()
    kernel = kernel / kernel.sum()
    out = suv[None, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = 7
        padding = [0, 0, 0]
        padding[axis] = 3
        out = functional.conv3d(out, kernel.reshape(shape), padding=padding)
    return out[0, 0]
