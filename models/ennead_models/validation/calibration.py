"""Whether a probability means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ennead_models.validation.intervals import Estimate, proportion

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Cases whose probability lies in ``[low, high)``: what was said, and what was so."""

    low: float
    high: float
    predicted: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Calibration:
    """Brier score, expected calibration error, and the bins of the reliability plot."""

    n: int
    brier: float
    ece: float
    bins: tuple[CalibrationBin, ...]


def calibration(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> Calibration | None:
    """Calibration in ten bins of equal width; None without cases. Empty bins are left out.

    Parameters
    ----------
    probabilities : float[n]
        Of 0 to 1.
    truth : bool[n]

    Notes
    -----
    Brier, Mon Weather Rev 1950; 78: 1–3. Expected calibration error: Σ nₖ/n · |observed −
    predicted| (Naeini et al., AAAI 2015).
    """
    p, t = np.asarray(probabilities, np.float64), np.asarray(truth, np.bool_)
    if p.shape != t.shape or p.ndim != 1:
        raise ValueError(f"need two rows of one length; got {p.shape} and {t.shape}")
    if p.size == 0:
        return None
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"probabilities lie in 0 to 1; got {p.min():g} to {p.max():g}")
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for k in range(BINS):
        inside = which == k
        n = int(inside.sum())
        if n:
            predicted = float(p[inside].mean())
            observed = proportion(int(t[inside].sum()), n)
            bins.append(CalibrationBin(k / BINS, (k + 1) / BINS, predicted, observed))
            error += n / p.size * abs(float(t[inside].mean()) - predicted)
    return Calibration(p.size, float(((p - t) ** 2).mean()), error, tuple(bins))
