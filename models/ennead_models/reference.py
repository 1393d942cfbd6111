"""The reference case as a gate: a model is installed only where it reproduces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ennead.errors import ReferenceCaseFailed
from ennead_models.cases import Case, read_case
from ennead_models.manifest import ModelManifest
from ennead_models.predict import OpenedModel, Prediction, predict


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number of the reference case, expected and got.

    Parameters
    ----------
    label : str
        Id of the label.
    what : str
        ``dice``, ``volume_percent`` (difference of the volume) or ``score``.
    expected, got : float
        For ``dice`` and ``volume_percent`` the perfect value and what came.
    tolerance : float
        Least Dice, or largest difference.
    """

    label: str
    what: str
    expected: float
    got: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether it reproduces."""
        if self.what == "dice":
            return self.got >= self.tolerance
        return abs(self.got - self.expected) <= self.tolerance

    def __str__(self) -> str:
        sign = ">=" if self.what == "dice" else "±"
        wanted = (
            f"{self.tolerance:.4g}"
            if self.what == "dice"
            else (f"{self.expected:.4g} {sign} {self.tolerance:.3g}")
        )
        wanted = f"{sign} {wanted}" if self.what == "dice" else wanted
        mark = "ok" if self.passed else "FAIL"
        return f"{mark} {self.label} {self.what} {self.got:.4g} (expected {wanted})"


def reproduce(opened: OpenedModel, folder: Path) -> list[Comparison]:
    """Run a model on its reference case and compare.

    Raises
    ------
    ReferenceCaseFailed
        The case cannot be read or expects nothing.
    TensorMismatch
        The network does not fit its manifest.
    """
    case = read_case(folder / opened.manifest.reference.case)
    return compare(opened.manifest, case, predict(opened, case.values, case.grid))


def compare(manifest: ModelManifest, case: Case, got: Prediction) -> list[Comparison]:
    """What came against what the case expects, label by label.

    Raises
    ------
    ReferenceCaseFailed
        The case expects labels of a classifier, or scores of a segmenter.
    """
    tolerance = manifest.reference.tolerance
    if (case.labels is None) != (got.labels is None):
        raise ReferenceCaseFailed(
            f"The reference case of {manifest.id} expects "
            f"{'scores' if case.labels is None else 'labels'}; the model gives the other."
        )
    if case.labels is None or got.labels is None:
        return [
            Comparison(
                label.id,
                "score",
                case.scores.get(label.id, float("nan")),
                got.scores[label.id],
                tolerance.score,
            )
            for label in manifest.label
        ]
    found = []
    for label in manifest.label:
        wanted, came = case.labels == label.value, got.labels == label.value
        volume, other = int(wanted.sum()), int(came.sum())
        if not volume and not other:
            continue
        both = int(np.logical_and(wanted, came).sum())
        found.append(Comparison(label.id, "dice", 1.0, 2 * both / (volume + other), tolerance.dice))
        percent = 100.0 * abs(other - volume) / volume if volume else 100.0
        found.append(Comparison(label.id, "volume_percent", 0.0, percent, tolerance.volume_percent))
    return found


def require_reproduced(manifest: ModelManifest, comparisons: Sequence[Comparison]) -> None:
    """Pass when every number does, and there is one.

    Raises
    ------
    ReferenceCaseFailed
        With each number that does not.
    """
    failed = [str(each) for each in comparisons if not each.passed]
    if failed or not comparisons:
        numbers = "; ".join(failed) or "none of its labels is in the case"
        raise ReferenceCaseFailed(
            f"{manifest.id} {manifest.version} does not reproduce its reference case here: "
            f"{numbers}. It is not installed. Check weights, input and label values in model.toml; "
            "if the case is wrong, make it anew."
        )


def as_document(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The numbers as JSON, for the registry and its pages."""
    return {
        "comparisons": [
            {
                "label": each.label,
                "what": each.what,
                "expected": each.expected,
                "got": round(each.got, 6),
                "tolerance": each.tolerance,
                "passed": each.passed,
            }
            for each in comparisons
        ]
    }
