"""15th percentile of lung attenuation, and the density it stands for (PMC4161463)."""

from __future__ import annotations

import numpy as np

from ennead.errors import EmptyMask
from ennead.findings import HUVolume, Mask


def perc15(hu: HUVolume, lung: Mask) -> float:
    """15th percentile in HU, interpolated between neighbouring values.

    Parameters
    ----------
    hu : float32[z, y, x], HU
        Inspiration, unenhanced, soft kernel.
    lung : bool[z, y, x]
        Same grid; vessels are part of it.

    Raises
    ------
    EmptyMask
        ``lung`` selects no voxel.

    Notes
    -----
    Specialties page, section 1, Perc15; plausible -980 to -850 HU.
    """
    selected = hu[lung]
    if selected.size == 0:
        raise EmptyMask("A percentile needs at least one lung voxel; refuse it instead.")
    return float(np.percentile(selected, 15.0))


def density_g_l(hu: float) -> float:
    """Grams per litre of a lung attenuation: HU + 1000."""
    return hu + 1000.0
