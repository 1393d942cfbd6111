"""Mean diameter of a nodule: the mean of long and short axis (81827009 SCT)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def nodule_mean_diameter(long_mm: float, short_mm: float) -> float:
    """Mean of both axes, rounded half up to 0.1 mm.

    Parameters
    ----------
    long_mm, short_mm : float
        On one plane, to one decimal.

    Notes
    -----
    Specialties page, section 1, nodule size; Lung-RADS v2022.

    Examples
    --------
    >>> nodule_mean_diameter(8.0, 7.5), nodule_mean_diameter(6.1, 5.8)
    (7.8, 6.0)
    """
    mean = (Decimal(str(long_mm)) + Decimal(str(short_mm))) / 2
    return float(mean.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP))
