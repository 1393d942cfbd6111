"""The reference case: a clean T1-like image of a head held back, which any build must reproduce."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from ennead.geometry import Grid
from head_structures.train.contrast import draw_contrast
from head_structures.train.data import read_heads, split
from head_structures.train.deformation import grid_mm, take
from head_structures.train.synthesis import blur
from network_training.randomness import generator

SHAPE: Final = (80, 96, 80)
_LEVELS: Final = 200


def reference_image() -> tuple[npt.NDArray[np.float32], Grid]:
    """Whole numbers float32[x, y, z] of 0 to 200 at 2 mm, and their grid (RAS axes)."""
    head = read_heads(split()["held_back"][:1])[0]
    positions = grid_mm(SHAPE) + torch.tensor(head.brain_centre)
    mean, _ = draw_contrast(generator(0, 2), "t1")
    image = mean[take(head.values, positions).long()]
    for axis in range(3):
        image = blur(image, axis, 0.5)
    values = (image * _LEVELS).round().numpy().astype(np.float32)
    grid = Grid(
        SHAPE,
        (0.0, 0.0, 0.0),
        ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
        (2.0, 2.0, 2.0),
    )
    return values, grid
