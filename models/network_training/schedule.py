"""How fast a network learns, step by step."""

from __future__ import annotations

import math

_START = 60


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear start over 60 steps, then half a cosine down to a hundredth of ``peak``."""
    if step < _START:
        return peak * (step + 1) / _START
    share = (step - _START) / max(1, steps - _START)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
