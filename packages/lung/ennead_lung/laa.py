"""Low attenuation area: the share of lung at or below a threshold (PMC4067052)."""

from __future__ import annotations

import numpy as np

from ennead.errors import EmptyMask
from ennead.findings import HUVolume, Mask


def laa(hu: HUVolume, lung: Mask, threshold_hu: float) -> float:
    """Percent of lung voxels at or below ``threshold_hu``.

    Parameters
    ----------
    hu : float32[z, y, x], HU
        Inspiration, unenhanced, soft kernel.
    lung : bool[z, y, x]
        Same grid; vessels are part of it and count in the denominator.
    threshold_hu : float
        -950 or -910; a voxel of exactly this value counts.

    Returns
    -------
    float
        0 to 100 %.

    Raises
    ------
    EmptyMask
        ``lung`` selects no voxel.

    Notes
    -----
    Specialties page, section 1, LAA-950 and LAA-910: 100 · #(HU ≤ T) / #lung.

    Examples
    --------
    >>> hu = np.array([[[-951.0, -950.0, -949.0, 40.0]]], np.float32)
    >>> laa(hu, np.ones((1, 1, 4), bool), -950.0)
    50.0
    """
    count = int(np.count_nonzero(lung))
    if count == 0:
        raise EmptyMask("A share needs at least one lung voxel; refuse it instead.")
    low = int(np.count_nonzero((hu <= threshold_hu) & lung))
    return 100.0 * low / count


def laa950(hu: HUVolume, lung: Mask) -> float:
    """:func:`laa` at -950 HU."""
    return laa(hu, lung, -950.0)


def laa910(hu: HUVolume, lung: Mask) -> float:
    """:func:`laa` at -910 HU."""
    return laa(hu, lung, -910.0)
