"""What a model did with one labelled case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ennead.geometry import Grid
from ennead_models.manifest import ModelManifest
from ennead_models.predict import LabelVolume, Prediction
from ennead_models.validation.overlap import dice, surface_distances, volume_ml


@dataclass(frozen=True, slots=True)
class LabelOutcome:
    """One label of one case; ``dice`` and ``hd95_mm`` are None where they mean nothing."""

    truth_ml: float
    found_ml: float
    dice: float | None
    hd95_mm: float | None


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """One case.

    Parameters
    ----------
    scanner, sex : str
        As the set's table says; "" where it does not.
    age_years : float or None
    labels : mapping
        Label id → outcome, for a model that segments.
    scores, truth : mapping
        Label id → score, and whether the class is there, for one that classifies.
    """

    case: str
    scanner: str = ""
    sex: str = ""
    age_years: float | None = None
    labels: Mapping[str, LabelOutcome] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    truth: Mapping[str, bool] = field(default_factory=dict)


def judge_labels(
    manifest: ModelManifest, found: Prediction, truth: LabelVolume, grid: Grid
) -> dict[str, LabelOutcome]:
    """Compare a label map with the truth, label by label.

    Parameters
    ----------
    truth : uint16[z, y, x]
        Values of the manifest's labels, on ``grid``.
    """
    assert found.labels is not None
    outcomes = {}
    for label in manifest.label:
        theirs, ours = truth == label.value, found.labels == label.value
        distances = surface_distances(ours, theirs, grid.spacing_mm)
        outcomes[label.id] = LabelOutcome(
            truth_ml=volume_ml(theirs, grid.spacing_mm),
            found_ml=volume_ml(ours, grid.spacing_mm),
            dice=dice(ours, theirs),
            hd95_mm=distances.hd95_mm if distances else None,
        )
    return outcomes
