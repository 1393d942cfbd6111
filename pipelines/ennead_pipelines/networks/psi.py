"""Population stability index: how far a distribution has moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy.stats import chi2

#: Bins of a number: fifths of the reference. More would need more than a hundred images to be calm.
BINS: Final = 5
#: A number with so few values in the reference is compared value by value.
FEW: Final = 5
MODERATE, LARGE = 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Bin:
    """A range ``(low, high]`` (open where None) or one value, with its share in both samples."""

    label: str
    low: float | None
    high: float | None
    reference: float
    recent: float


@dataclass(frozen=True, slots=True)
class Stability:
    """How far ``recent`` has moved from ``reference``.

    Parameters
    ----------
    psi : float
        Σ (q − p) ln(q / p) over the bins.
    chance : float
        What two samples of these sizes from one distribution pass once in a hundred times:
        (1/n + 1/m) times the 99th percentile of χ² with as many degrees as bins less one.
    """

    kind: str
    psi: float
    chance: float
    bins: tuple[Bin, ...]

    @property
    def level(self) -> str:
        """``moderate`` from 0.1 and ``large`` from 0.25, beyond what chance does; else ``none``."""
        if self.psi <= self.chance or self.psi < MODERATE:
            return "none"
        return "large" if self.psi >= LARGE else "moderate"


Value = float | str | None
Counts = tuple[str, float | None, float | None, int, int]


def stability(reference: Sequence[Value], recent: Sequence[Value]) -> Stability | None:
    """Compare two samples of one feature; None when either is empty.

    Numbers are binned by the fifths of the reference; texts, and numbers that take at most five
    values, by value. What is missing (None) is a bin of its own. Each count has a half added, so
    that an empty bin stays finite.

    Notes
    -----
    Siddiqi, Credit Risk Scorecards, 2006; chance level: Yurdakul, Western Michigan University
    dissertation, 2018.
    """
    if not reference or not recent:
        return None
    first = [v for v in reference if v is not None]
    second = [v for v in recent if v is not None]
    numbers = all(isinstance(v, int | float) for v in (*first, *second))
    if numbers and len(set(first)) > FEW:
        counts = _of_numbers([float(v) for v in first], [float(v) for v in second])
    else:
        counts = _of_values(first, second)
    absent = len(reference) - len(first), len(recent) - len(second)
    if any(absent):
        counts.append(("–", None, None, *absent))
    return _stability("number" if numbers and first else "category", counts)


def _of_numbers(first: Sequence[float], second: Sequence[float]) -> list[Counts]:
    edges = np.unique(np.quantile(first, np.linspace(0, 1, BINS + 1)[1:-1]))
    a, b = (
        np.bincount(np.searchsorted(edges, sample, "left"), minlength=len(edges) + 1)
        for sample in (first, second)
    )
    ends = [None, *(float(edge) for edge in edges), None]
    return [
        (_range(low, high), low, high, int(a[k]), int(b[k]))
        for k, (low, high) in enumerate(pairwise(ends))
    ]


def _of_values(first: Sequence[float | str], second: Sequence[float | str]) -> list[Counts]:
    a, b = Counter(first), Counter(second)
    names = sorted({*a, *b}, key=lambda v: (isinstance(v, str), v))
    return [(_shown(name), None, None, a[name], b[name]) for name in names]


def _stability(kind: str, counts: Sequence[Counts]) -> Stability:
    a = np.array([each[3] for each in counts], dtype=np.float64)
    b = np.array([each[4] for each in counts], dtype=np.float64)
    n, m, k = a.sum(), b.sum(), len(counts)
    p, q = (a + 0.5) / (n + 0.5 * k), (b + 0.5) / (m + 0.5 * k)
    bins = tuple(
        Bin(label, low, high, float(x / n), float(y / m)) for label, low, high, x, y in counts
    )
    psi = float(((q - p) * np.log(q / p)).sum())
    chance = float(chi2.ppf(0.99, k - 1) * (1 / n + 1 / m)) if k > 1 else 0.0
    return Stability(kind, psi, chance, bins)


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"≤ {_shown(high)}"
    return f"> {_shown(low)}" if high is None else f"{_shown(low)}–{_shown(high)}"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
