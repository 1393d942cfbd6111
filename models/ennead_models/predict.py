"""What an opened model offers, and asking it: an image and its grid in, labels or scores out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ennead.errors import GridMismatch, ModelError, TensorMismatch
from ennead.geometry import Grid

if TYPE_CHECKING:
    from ennead_models.manifest import ModelManifest

FloatVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one image.

    Parameters
    ----------
    labels : uint16[z, y, x] or None
        On the grid of the image; 0 where nothing was found, else values of the manifest's
        labels. None for classification.
    scores : mapping
        For classification: label id → score of 0 to 1. Empty otherwise.
    """

    labels: LabelVolume | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


class PredictProgress(Protocol):
    """Told how far a prediction is."""

    def __call__(self, fraction: float) -> None:
        """``fraction`` (0–1) is done."""
        ...


def silent(fraction: float) -> None:
    """Progress that nobody watches."""
    del fraction


def never() -> bool:
    """Nobody cancels."""
    return False


class OpenedModel(Protocol):
    """A model with its weights loaded on one device.

    Threads may ask at the same time; a runner that cannot answers one after the other.
    """

    manifest: ModelManifest
    digest: str
    device: str

    def predict(
        self,
        values: FloatVolume,
        grid: Grid,
        *,
        thresholds: Mapping[str, float],
        progress: PredictProgress,
        cancelled: Callable[[], bool],
    ) -> Prediction:
        """See :func:`predict`."""
        ...

    def close(self) -> None:
        """Give its memory back; it cannot be used any more."""
        ...


def predict(
    opened: OpenedModel,
    values: FloatVolume,
    grid: Grid,
    *,
    thresholds: Mapping[str, float] | None = None,
    progress: PredictProgress = silent,
    cancelled: Callable[[], bool] = never,
) -> Prediction:
    """Run a model on an image.

    The answer does not depend on how the image is stored: flipped or reordered axes give the same
    labels at the same places.

    Parameters
    ----------
    values : float32[z, y, x]
        In the units of the image: HU for CT.
    grid : Grid
        Where the voxels lie in the patient.
    thresholds : mapping
        Label id → threshold of the site, instead of the manifest's default.
    progress, cancelled
        Called between tiles.

    Raises
    ------
    GridMismatch
        ``values`` has another shape than ``grid``.
    TensorMismatch
        The network takes or gives other tensors than its manifest says.
    PredictionCancelled
        ``cancelled`` said so.
    """
    if values.shape != grid.shape:
        raise GridMismatch(f"The image has shape {values.shape}; its grid has {grid.shape}.")
    limits = thresholds_in_force(opened.manifest, thresholds or {})
    result = opened.predict(
        np.asarray(values, dtype=np.float32),
        grid,
        thresholds=limits,
        progress=progress,
        cancelled=cancelled,
    )
    if result.labels is not None and result.labels.shape != grid.shape:
        raise TensorMismatch(
            f"{opened.manifest.id} gave labels of shape {result.labels.shape} for an image of "
            f"shape {grid.shape}. Its postprocessing must bring them back to the image's grid."
        )
    return result


def thresholds_in_force(manifest: ModelManifest, given: Mapping[str, float]) -> dict[str, float]:
    """The threshold of each label that has one.

    Raises
    ------
    ModelError
        A given one is outside the manifest's bounds, or for a label that has none.
    """
    rules = {label.id: label.threshold for label in manifest.label if label.threshold}
    for name, value in given.items():
        rule = rules.get(name)
        if rule is None or not rule.site_bounds[0] <= value <= rule.site_bounds[1]:
            bounds = f"inside {list(rule.site_bounds)}" if rule else "not to be set"
            raise ModelError(f"The threshold of {manifest.id} {name!r} is {bounds}; got {value}.")
    return {name: given.get(name, rule.default) for name, rule in rules.items()}
