"""What is measured on a model's answer: the volume of each label, the score of each class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ennead.findings import Mask
from ennead.geometry import Grid


def volume_cm3(mask: Mask, grid: Grid) -> float:
    """Number of voxels times the voxel's volume, in cm3.

    Parameters
    ----------
    mask : bool[z, y, x]
        On ``grid``, or a part of it.
    """
    return int(np.count_nonzero(mask)) * grid.voxel_volume_mm3 / 1000.0


def score(scores: Mapping[str, float], label_id: str) -> float:
    """The model's score of a class, 0 to 1, as the network gave it after its activation."""
    return float(scores[label_id])
