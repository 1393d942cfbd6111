"""A training pair made from a label map: an image that no scanner took, and its exact labels.

The recipe is SynthSeg's (Billot et al., Medical Image Analysis 2023): deform the map, give each
structure a random brightness, then spoil the image as scanners do. Partial volume comes from four
points in each voxel.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from head_structures.train.contrast import FAMILIES, draw_contrast
from head_structures.train.data import HeadMap
from head_structures.train.deformation import (
    GRID_MM,
    Shape,
    draw_positions,
    smooth_noise,
    take,
)
from head_structures.train.structures import merge_table, swap_table
from network_training.randomness import uniform

#: Percentiles of the image that become 0 and 1, as at inference (``model.toml``).
PERCENTILES: Final = (0.5, 99.5)
_CORNERS_MM: Final = ((0.5, 0.5, 0.5), (0.5, -0.5, -0.5), (-0.5, 0.5, -0.5), (-0.5, -0.5, 0.5))
_OUTER_FLUID: Final = 24


class Pair(NamedTuple):
    """A training image and its labels.

    ``image`` is float32[x, y, z] of 0 to 1, ``labels`` uint8[x, y, z]; 2 mm, RAS.
    """

    image: Tensor
    labels: Tensor


def make_pair(head: HeadMap, rng: Generator, shape: Shape, known_share: float = 0.5) -> Pair:
    """One image and its labels.

    Parameters
    ----------
    head : HeadMap
    rng : Generator
    shape : three int
        At 2 mm.
    known_share : float
        How often the image comes near a known contrast (:data:`FAMILIES`) instead of any.
    """
    positions = draw_positions(rng, shape, head.brain_centre)
    values = head.values
    keep = _draw_kept(rng)
    relabel = torch.arange(256, dtype=torch.uint8) * keep
    if bool(torch.rand((), generator=rng) < 0.5):
        positions = positions.flip(0)
        relabel = relabel[swap_table().long()]
    labels = merge_table()[relabel[take(values, positions).long()].long()]
    family = _draw_family(rng, known_share)
    mean, deviation = draw_contrast(rng, family)
    image = torch.zeros(shape)
    for corner in _CORNERS_MM:
        tissue = relabel[take(values, positions + torch.tensor(corner)).long()].long()
        image += mean[tissue] + deviation[tissue] * torch.randn(shape, generator=rng)
    outside = labels == 0
    image = spoil(image / len(_CORNERS_MM), outside, rng)
    image, labels = cut(image, labels, rng)
    return Pair(stretch(image), labels)


def _draw_family(rng: Generator, known_share: float) -> str | None:
    if bool(torch.rand((), generator=rng) >= known_share):
        return None
    return list(FAMILIES)[int(torch.randint(len(FAMILIES), (), generator=rng))]


def _draw_kept(rng: Generator) -> Tensor:
    """uint8[256]: 1 for map values that stay; skull-stripped images keep the brain only."""
    keep = torch.ones(256, dtype=torch.uint8)
    draw = float(torch.rand((), generator=rng))
    if draw < 0.25:
        keep[200:] = 0
    if draw < 0.06:
        keep[_OUTER_FLUID] = 0
    return keep


def spoil(image: Tensor, outside: Tensor, rng: Generator) -> Tensor:
    """Texture outside the brain, uneven field, thick slices, blur, gamma and noise.

    Parameters
    ----------
    image : float32[x, y, z]
    outside : bool[x, y, z]
        Voxels that are not brain; some images get blotches there.
    rng : Generator
    """
    shape = (image.shape[0], image.shape[1], image.shape[2])
    if uniform(rng, 0, 1) < 0.5:
        blotches = smooth_noise(rng, shape, 14)[0] * uniform(rng, 0.0, 0.25)
        image = torch.where(outside & (image > 0.03), image + blotches, image)
    if uniform(rng, 0, 1) < 0.3:
        image = torch.where(image == 0, torch.full((), uniform(rng, 0, 0.3)), image)
    image = image * (smooth_noise(rng, shape, 4)[0] * uniform(rng, 0.0, 0.4)).exp()
    if uniform(rng, 0, 1) < 0.6:
        image = thick_slices(image, int(uniform(rng, 0, 3)), uniform(rng, 2.0, 8.0))
    if uniform(rng, 0, 1) < 0.5:
        sigma = uniform(rng, 0.2, 0.9)
        for axis in range(3):
            image = blur(image, axis, sigma)
    image = image.clamp(min=0) ** (2.0 ** uniform(rng, -0.7, 0.7))
    return image + torch.randn(shape, generator=rng) * uniform(rng, 0.0, 0.07)


def blur(image: Tensor, axis: int, sigma: float) -> Tensor:
    """Gaussian blur along one axis; ``sigma`` in voxels."""
    reach = max(1, int(3 * sigma + 0.5))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = (-0.5 * (at / sigma) ** 2).exp()
    kernel = kernel / kernel.sum()
    moved = image.movedim(axis, -1)
    rows = functional.pad(moved.reshape(1, -1, moved.shape[-1]), (reach, reach), mode="replicate")
    out = functional.conv1d(rows.movedim(0, 1), kernel[None, None])
    return out.reshape(moved.shape).movedim(-1, axis)


def thick_slices(image: Tensor, axis: int, thickness_mm: float) -> Tensor:
    """As from slices of ``thickness_mm`` along ``axis``, brought back to the grid linearly."""
    ratio = thickness_mm / GRID_MM
    if ratio > 1.05:
        image = blur(image, axis, 0.4 * ratio)
    few = list(image.shape)
    few[axis] = max(4, round(image.shape[axis] / ratio))
    small = functional.interpolate(image[None, None], few, mode="trilinear", align_corners=False)
    out: Tensor = functional.interpolate(
        small, tuple(image.shape), mode="trilinear", align_corners=False
    )
    return out[0, 0]


def cut(image: Tensor, labels: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """Empty a slab at the image's edge in some images, as beyond a short field of view."""
    if uniform(rng, 0, 1) < 0.25:
        axis = int(uniform(rng, 0, 3))
        length = image.shape[axis]
        many = int(uniform(rng, 2, 0.35 * length))
        start = 0 if uniform(rng, 0, 1) < 0.5 else length - many
        image, labels = image.clone(), labels.clone()
        image.narrow(axis, start, many).zero_()
        labels.narrow(axis, start, many).zero_()
    return image, labels


def stretch(image: Tensor) -> Tensor:
    """Bring the image's :data:`PERCENTILES` to 0 and 1 and cut what lies beyond."""
    few = image.flatten()[::5].sort().values
    low, high = (few[int(p / 100 * (len(few) - 1))] for p in PERCENTILES)
    return ((image - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
