"""Averaged weights, and checkpoints from which a broken run goes on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn


class AveragedWeights:
    """Exponential moving average of a network's parameters; what is exported.

    Parameters
    ----------
    network : nn.Module
        The network that is trained.
    decay : float
        Share kept at each step; smaller during the first steps, so that the start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float = 0.995) -> None:
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        self.steps = 0
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the trained network's present parameters into the average."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for mean, now in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` so that a stop in the middle leaves the earlier file whole."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read back what :func:`save_checkpoint` wrote; None where there is none."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
