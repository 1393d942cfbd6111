"""Agreement of two measurements of the same thing (Bland and Altman)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ennead_models.validation.intervals import Z


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias and limits of agreement, in the unit of the measurements.

    Parameters
    ----------
    bias : float
        Mean of the differences, first minus second.
    low, high : float
        Limits of agreement: bias ± 1.96 standard deviations.
    bias_ci, low_ci, high_ci : (float, float)
        Intervals of 95 %.
    points : tuple of (float, float)
        Mean and difference of each pair, for the plot.
    """

    n: int
    bias: float
    sd: float
    low: float
    high: float
    bias_ci: tuple[float, float]
    low_ci: tuple[float, float]
    high_ci: tuple[float, float]
    points: tuple[tuple[float, float], ...]


def bland_altman(first: npt.ArrayLike, second: npt.ArrayLike) -> BlandAltman | None:
    """Bias and limits of agreement of paired measurements; None for fewer than two pairs.

    Notes
    -----
    Bland & Altman, Lancet 1986; 327: 307–310: the standard error of a limit is about √(3 s²/n).
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"need two rows of one length; got {a.shape} and {b.shape}")
    n = a.size
    if n < 2:
        return None
    difference = a - b
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    low, high = bias - Z * sd, bias + Z * sd
    near, far = Z * sd / n**0.5, Z * sd * (3 / n) ** 0.5
    pairs = zip((a + b) / 2, difference, strict=True)
    return BlandAltman(
        n,
        bias,
        sd,
        low,
        high,
        (bias - near, bias + near),
        (low - far, low + far),
        (high - far, high + far),
        tuple((float(x), float(y)) for x, y in pairs),
    )
