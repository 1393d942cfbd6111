"""What is made of finished planes: labels, or some channels' probabilities.

PyTorch is imported when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from ennead.errors import OutputNotFinite, TensorMismatch

if TYPE_CHECKING:
    import torch


class Reducer(Protocol):
    """Takes planes of blended outputs, part by part, and keeps what is asked for."""

    def bytes_a_voxel(self, classes: int) -> int:
        """What is kept of each voxel of the image."""
        ...

    def begin(self, shape: tuple[int, int, int], classes: int, device: torch.device) -> None:
        """Called once, before any plane."""
        ...

    def take(self, blended: torch.Tensor, planes: slice, rows: slice) -> None:
        """Take ``float32[classes, planes, rows, x]``; it may be overwritten."""
        ...

    def result(self) -> torch.Tensor:
        """What was asked for, when all planes were taken."""
        ...


class Argmax:
    """The class with the largest score; of equals the first."""

    _labels: Any
    _broken: Any

    def bytes_a_voxel(self, classes: int) -> int:
        """One for labels that fit a byte, else two."""
        return 1 if classes <= 256 else 2

    def begin(self, shape: tuple[int, int, int], classes: int, device: torch.device) -> None:
        """Make room for the labels."""
        import torch

        # int16 holds the bits of uint16, for which few operations exist.
        kind = torch.uint8 if classes <= 256 else torch.int16
        self._labels = torch.zeros(shape, dtype=kind, device=device)
        self._broken = torch.zeros((), dtype=torch.bool, device=device)

    def take(self, blended: torch.Tensor, planes: slice, rows: slice) -> None:
        """Compare the classes one after another, in the tensor that is given."""
        import torch

        labels = self._labels[planes, rows]
        best = blended[0]
        for label in range(1, blended.shape[0]):
            labels.masked_fill_(blended[label] > best, label if label < 2**15 else label - 2**16)
            torch.maximum(best, blended[label], out=best)
        self._broken |= best.isnan().any()

    def result(self) -> torch.Tensor:
        """Give uint8[z, y, x] or uint16[z, y, x]; raises OutputNotFinite."""
        import torch

        if bool(self._broken):
            raise OutputNotFinite(
                "The network gave NaN. If it ran in half precision, take it out of the model's "
                "list of precisions; otherwise check its weights and the image's intensities."
            )
        labels: torch.Tensor = self._labels
        return labels if labels.dtype == torch.uint8 else labels.view(torch.uint16)


class Probabilities:
    """Blended outputs of the channels asked for, after their activation.

    Parameters
    ----------
    channels : tuple of int, optional
        None keeps all.
    activation : str
        ``none``, ``softmax`` over all channels, or ``sigmoid``.
    """

    _values: Any

    def __init__(
        self,
        channels: tuple[int, ...] | None = None,
        activation: Literal["none", "softmax", "sigmoid"] = "softmax",
    ) -> None:
        self._channels, self._activation = channels, activation

    def bytes_a_voxel(self, classes: int) -> int:
        """Four a channel."""
        return 4 * (classes if self._channels is None else len(self._channels))

    def begin(self, shape: tuple[int, int, int], classes: int, device: torch.device) -> None:
        """Make room for the channels."""
        import torch

        self._channels = tuple(range(classes)) if self._channels is None else self._channels
        if not self._channels or not all(0 <= c < classes for c in self._channels):
            raise TensorMismatch(
                f"The network has channels 0 to {classes - 1}; asked for {self._channels}."
            )
        self._values = torch.empty((len(self._channels), *shape), device=device)

    def take(self, blended: torch.Tensor, planes: slice, rows: slice) -> None:
        """Apply the activation and keep the channels."""
        import torch

        if self._activation == "softmax":
            blended = blended.softmax(dim=0)
        assert self._channels is not None
        for index, channel in enumerate(self._channels):
            value = blended[channel]
            if self._activation == "sigmoid":
                value = torch.sigmoid(value)
            self._values[index, planes, rows] = value

    def result(self) -> torch.Tensor:
        """Give float32[k, z, y, x]; raises OutputNotFinite."""
        values: torch.Tensor = self._values
        if bool(values.isnan().any()):
            raise OutputNotFinite("The network gave NaN; check its precision and its weights.")
        return values
