"""From a network's channels to label values or scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ennead.errors import TensorMismatch
from ennead_models.manifest import ModelManifest

if TYPE_CHECKING:
    import torch


def check_channels(manifest: ModelManifest, shape: tuple[int, ...]) -> None:
    """Compare an output tensor ``[n, c, …]`` with the manifest.

    Raises
    ------
    TensorMismatch
        Another number of channels than declared, or fewer than the labels need.
    """
    if len(shape) < 2:
        raise TensorMismatch(
            f"{manifest.id} gives a tensor of shape {shape}; expected [n, c, …]. Export the "
            "network with a batch and a channel axis."
        )
    channels = shape[1]
    wanted = 1 if manifest.output.form == "map" else manifest.output.channels
    if wanted is not None and channels != wanted:
        raise TensorMismatch(
            f"{manifest.id} gives {channels} channels (shape {list(shape)}); its manifest says "
            f"{wanted}. Correct output.channels and the labels, or take the right weights."
        )
    highest = max(manifest.channel_of(label) for label in manifest.label)
    if manifest.output.form == "channels" and highest >= channels:
        raise TensorMismatch(
            f"{manifest.id} gives {channels} channels (shape {list(shape)}); a label needs channel "
            f"{highest}. Correct the labels, or take the right weights."
        )


def label_map(
    manifest: ModelManifest, channels: torch.Tensor, thresholds: Mapping[str, float]
) -> torch.Tensor:
    """Label values of a network's output, on its own grid and device.

    Parameters
    ----------
    channels : floating[c, …]
        The output without its batch axis.

    Returns
    -------
    int32[…]
        0 or a label's value. Where several labels pass their thresholds, the one whose value
        exceeds its threshold most wins.
    """
    import torch

    if manifest.output.form == "map":
        return _only_declared(manifest, channels[0].float())
    if manifest.output.kind == "labels":
        table = torch.zeros(channels.shape[0], dtype=torch.int32, device=channels.device)
        for label in manifest.label:
            table[manifest.channel_of(label)] = label.value
        return table[channels.argmax(dim=0)]
    values = activated(manifest, channels, 0)
    best = torch.zeros(channels.shape[1:], dtype=torch.float32, device=channels.device)
    found = torch.zeros(channels.shape[1:], dtype=torch.int32, device=channels.device)
    for label in manifest.label:
        over = values[manifest.channel_of(label)].float() - thresholds[label.id]
        wins = (over >= 0) & ((found == 0) | (over > best))
        found[wins] = label.value
        best[wins] = over[wins]
    return found


def scores(manifest: ModelManifest, channels: torch.Tensor) -> dict[str, float]:
    """Label id → score of a classifier's output ``[c]``."""
    values = activated(manifest, channels, 0)
    return {label.id: float(values[manifest.channel_of(label)]) for label in manifest.label}


def activated(manifest: ModelManifest, channels: torch.Tensor, axis: int) -> torch.Tensor:
    """The output after the activation that the manifest leaves to the platform."""
    if manifest.output.activation == "softmax":
        return channels.float().softmax(dim=axis)
    if manifest.output.activation == "sigmoid":
        return channels.float().sigmoid()
    return channels


def _only_declared(manifest: ModelManifest, values: torch.Tensor) -> torch.Tensor:
    """Whole label values, 0 where the manifest names none.

    Raises
    ------
    TensorMismatch
        A value is no whole number of 0 to 65535.
    """
    import torch

    found = values.round()
    if bool(((values - found).abs() > 1e-3).any() | (found < 0).any() | (found > 65535).any()):
        raise TensorMismatch(
            f"{manifest.id} gives values of {float(values.min()):.4g} to {float(values.max()):.4g} "
            "where label values (whole numbers of 0 to 65535) are expected. Check output.form: a "
            "network that gives scores is no 'map'."
        )
    table = torch.zeros(65536, dtype=torch.int32, device=values.device)
    for label in manifest.label:
        table[label.value] = label.value
    return table[found.long()]
