"""Telling two groups apart by a score: ROC curve, its area, and what a threshold does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ennead_models.validation.intervals import RESAMPLES, SEED, Estimate, Values, Z, proportion

Truth = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Auroc:
    """Area under the ROC curve with two intervals of 95 % (DeLong, and bootstrap by class)."""

    value: float
    delong: tuple[float, float]
    bootstrap: tuple[float, float]
    standard_error: float
    positives: int
    negatives: int


def auroc(scores: npt.ArrayLike, truth: npt.ArrayLike) -> Auroc | None:
    """Area under the ROC curve; None when one class is missing.

    Parameters
    ----------
    scores : float[n]
        Larger speaks for the finding.
    truth : bool[n]

    Notes
    -----
    DeLong et al., Biometrics 1988; 44: 837–845, by mid-ranks (Sun & Xu, IEEE SPL 2014; 21:
    1389–1393). Ties count one half.
    """
    values, positive = _pair(scores, truth)
    x, y = values[positive], values[~positive]
    if not (x.size and y.size):
        return None
    by_positive, by_negative = _placements(x, y)
    area = float(by_positive.mean())
    variance = _variance(by_positive) / x.size + _variance(by_negative) / y.size
    error = float(np.sqrt(variance))
    return Auroc(
        area,
        (max(0.0, area - Z * error), min(1.0, area + Z * error)),
        _bootstrap(x, y),
        error,
        x.size,
        y.size,
    )


def _placements(x: Values, y: Values) -> tuple[Values, Values]:
    """For each positive the share of negatives below it, for each negative of positives above."""
    below = _shares(np.sort(y), x)
    above = 1.0 - _shares(np.sort(x), y)
    return below, above


def _shares(ordered: Values, values: Values) -> Values:
    left = np.searchsorted(ordered, values, "left")
    right = np.searchsorted(ordered, values, "right")
    return np.asarray((left + right) / 2 / ordered.size)


def _variance(values: Values) -> float:
    return float(values.var(ddof=1)) if values.size > 1 else 0.0


def _bootstrap(x: Values, y: Values) -> tuple[float, float]:
    rng = np.random.default_rng(SEED)
    areas = np.empty(RESAMPLES)
    for n in range(RESAMPLES):
        drawn = np.sort(y[rng.integers(0, y.size, y.size)])
        areas[n] = _shares(drawn, x[rng.integers(0, x.size, x.size)]).mean()
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(low), float(high)


def roc_curve(scores: npt.ArrayLike, truth: npt.ArrayLike) -> list[tuple[float, float, float]]:
    """``(1 - specificity, sensitivity, threshold)`` at every distinct score, from (0, 0) on."""
    values, positive = _pair(scores, truth)
    order = np.argsort(-values, kind="stable")
    values, positive = values[order], positive[order]
    last = np.r_[np.flatnonzero(np.diff(values)), values.size - 1] if values.size else []
    hits, misses = np.cumsum(positive), np.cumsum(~positive)
    p, n = max(1, int(positive.sum())), max(1, int((~positive).sum()))
    points = [(0.0, 0.0, float("inf"))]
    points += [(float(misses[k] / n), float(hits[k] / p), float(values[k])) for k in last]
    return points


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """Sensitivity and specificity of ``score >= threshold``, with Wilson intervals."""

    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int


def at_threshold(scores: npt.ArrayLike, truth: npt.ArrayLike, threshold: float) -> AtThreshold:
    """What a threshold does to these cases."""
    values, positive = _pair(scores, truth)
    called = values >= threshold
    tp, fn = int((called & positive).sum()), int((~called & positive).sum())
    tn, fp = int((~called & ~positive).sum()), int((called & ~positive).sum())
    return AtThreshold(threshold, proportion(tp, tp + fn), proportion(tn, tn + fp), tp, fn, tn, fp)


def _pair(scores: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Values, Truth]:
    values, positive = np.asarray(scores, np.float64), np.asarray(truth, np.bool_)
    if values.shape != positive.shape or values.ndim != 1:
        raise ValueError(f"need two rows of one length; got {values.shape} and {positive.shape}")
    return values, positive
