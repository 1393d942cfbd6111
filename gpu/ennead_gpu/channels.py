"""Intensities as a network was trained on: cut, scaled, on the device that holds the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ennead.errors import ModelManifestInvalid

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a network's input, made from the image's values.

    Parameters
    ----------
    clip : (float, float), optional
        Values are cut to this range first.
    clip_percentiles : (float, float), optional
        Or to these percentiles (0 to 100) of the image.
    scale : str
        ``none``; ``minmax``: the clipped range, or without one the image's own, becomes ``to``;
        ``zscore``: by the image's own mean and standard deviation; ``fixed``: by ``mean``, ``std``.
    to : (float, float)
        The range that ``minmax`` gives.
    nonzero : bool
        Percentiles, mean and standard deviation look at voxels that are not 0; the others stay 0.
    mean, std : float, optional
        For ``fixed``.

    Raises
    ------
    ModelManifestInvalid
        A range does not rise, both clips are given, or ``fixed`` lacks its numbers.
    """

    clip: tuple[float, float] | None = None
    clip_percentiles: tuple[float, float] | None = None
    scale: Literal["none", "minmax", "zscore", "fixed"] = "none"
    to: tuple[float, float] = (0.0, 1.0)
    nonzero: bool = False
    mean: float | None = None
    std: float | None = None

    def __post_init__(self) -> None:
        if self.clip and self.clip_percentiles:
            raise ModelManifestInvalid("Give clip or clip_percentiles, not both.")
        for pair in (self.clip, self.clip_percentiles):
            if pair and not pair[0] < pair[1]:
                raise ModelManifestInvalid(f"A clip range must rise; got {pair}.")
        if (
            self.clip_percentiles
            and not 0 <= min(self.clip_percentiles) < max(self.clip_percentiles) <= 100
        ):
            raise ModelManifestInvalid(f"Percentiles are 0 to 100; got {self.clip_percentiles}.")
        if self.scale == "fixed" and (self.mean is None or not self.std or self.std <= 0):
            raise ModelManifestInvalid("scale 'fixed' needs mean and a positive std.")

    def apply_(self, image: torch.Tensor) -> None:
        """Turn an image into this channel, in place.

        Parameters
        ----------
        image : float32[…]
            Rescaled values (HU for CT) on the network's grid.
        """
        outside = image == 0 if self.nonzero else None
        clip = self.clip
        if self.clip_percentiles:
            low, high = self.clip_percentiles
            seen = _seen(image, outside)
            if seen.numel():
                clip = (percentile(seen, low), percentile(seen, high))
        if clip:
            image.clamp_(*clip)
        if self.scale == "minmax":
            self._minmax_(image, clip)
        elif self.scale == "zscore":
            seen = _seen(image, outside)
            if seen.numel():
                deviation = float(seen.std(correction=0))
                image.sub_(float(seen.mean())).div_(deviation if deviation > 0 else 1.0)
        elif self.scale == "fixed":
            image.sub_(self.mean).div_(self.std)
        if outside is not None:
            image.masked_fill_(outside, 0.0)

    def _minmax_(self, image: torch.Tensor, clip: tuple[float, float] | None) -> None:
        low, high = clip or (float(image.min()), float(image.max()))
        if high > low:
            image.sub_(low).mul_((self.to[1] - self.to[0]) / (high - low)).add_(self.to[0])
        else:
            image.fill_(self.to[0])


def percentile(values: torch.Tensor, percent: float) -> float:
    """The same as ``numpy.percentile``: linear between the two nearest order statistics.

    Parameters
    ----------
    values : float32[…]
        Not empty; any size (``torch.quantile`` ends at 16 million).
    """
    flat = values.flatten()
    rank = (flat.numel() - 1) * percent / 100
    low = int(rank)
    below = float(flat.kthvalue(low + 1).values)
    if low == rank:
        return below
    above = float(flat.kthvalue(low + 2).values)
    return below + (above - below) * (rank - low)


def _seen(image: torch.Tensor, outside: Any) -> torch.Tensor:
    return image if outside is None else image[~outside]
