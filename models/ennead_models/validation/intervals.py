"""Intervals of 95 % for proportions and means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

#: 97.5th percentile of the standard normal distribution.
Z: Final = 1.959963984540054
#: Resamples of a bootstrap; the seed is fixed, so that a report reproduces.
RESAMPLES: Final = 2000
SEED: Final = 20260101

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval of 95 % and how many observations it rests on.

    ``value`` is None where nothing was observed, ``low`` and ``high`` where one observation (or
    none) allows no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


def proportion(hits: int, n: int) -> Estimate:
    """A proportion with its Wilson score interval.

    Notes
    -----
    Wilson, J Am Stat Assoc 1927; 22: 209–212.

    Examples
    --------
    >>> e = proportion(9, 10)
    >>> round(e.low, 4), round(e.high, 4)
    (0.5958, 0.9821)
    """
    if n == 0:
        return Estimate(None, None, None, 0)
    p = hits / n
    scale = 1 + Z**2 / n
    centre = (p + Z**2 / (2 * n)) / scale
    half = Z * float(np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))) / scale
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), n)


def mean(values: npt.ArrayLike) -> Estimate:
    """The mean with its percentile bootstrap interval.

    Parameters
    ----------
    values : float[n]
        Finite.
    """
    return bootstrap(values, lambda sample: sample.mean(axis=-1))


def median(values: npt.ArrayLike) -> Estimate:
    """The median with its percentile bootstrap interval."""
    return bootstrap(values, lambda sample: np.median(sample, axis=-1))


def bootstrap(values: npt.ArrayLike, statistic: Callable[[Values], npt.ArrayLike]) -> Estimate:
    """A statistic of one sample with its percentile bootstrap interval.

    Parameters
    ----------
    statistic : callable
        Of float[..., n] along the last axis.
    """
    found = np.asarray(values, dtype=np.float64)
    n = found.size
    if n == 0:
        return Estimate(None, None, None, 0)
    value = float(np.asarray(statistic(found)))
    if n == 1:
        return Estimate(value, None, None, 1)
    rng = np.random.default_rng(SEED)
    drawn = np.asarray(statistic(found[rng.integers(0, n, size=(RESAMPLES, n))]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)
