"""Tiny TorchScript files: a 1 × 1 × 1 convolution is a threshold."""

from __future__ import annotations

from pathlib import Path


def write_torchscript(path: Path, *, threshold: float = 0.0, channels: int = 1) -> Path:
    """Write a scripted network of two channels; the second is larger above ``threshold``."""
    import warnings

    import torch

    network = torch.nn.Conv3d(channels, 2, kernel_size=1).eval()
    with torch.no_grad():
        network.weight.zero_()
        network.weight[1, 0] = 1.0
        assert network.bias is not None
        network.bias.copy_(torch.tensor([0.0, -threshold]))
    with warnings.catch_warnings():  # deprecated in torch, and in wide use
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(network), str(path))
    return path
