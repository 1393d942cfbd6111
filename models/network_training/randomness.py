"""Random numbers that a training example's number and the seed decide."""

from __future__ import annotations

import torch
from torch import Generator


def generator(seed: int, index: int) -> Generator:
    """The random numbers of training example ``index``; the same whenever it is made."""
    return Generator().manual_seed(seed * 10_000_019 + index)


def uniform(rng: Generator, low: float, high: float) -> float:
    """One number between ``low`` and ``high``."""
    return low + (high - low) * float(torch.rand((), generator=rng))
