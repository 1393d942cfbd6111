"""CT noise, reproducible from its seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ennead.geometry import Grid


def ct_noise(
    grid: Grid, sigma_hu: float, *, seed: int = 0, correlation_mm: float = 0.0
) -> npt.NDArray[np.float32]:
    """Gaussian noise with standard deviation ``sigma_hu``.

    Parameters
    ----------
    sigma_hu : float
        Standard deviation of each voxel; kept when the noise is correlated.
    correlation_mm : float
        Sigma of the in-plane smoothing: 0 is white noise, about 1 mm looks like a soft kernel.

    Returns
    -------
    float32[z, y, x]
        HU to add; slices are independent of each other.
    """
    noise = np.random.default_rng(seed).standard_normal(grid.shape, dtype=np.float32)
    if correlation_mm > 0:
        widths = [correlation_mm / s for s in grid.spacing_mm[1:]]
        noise = np.asarray(gaussian_filter(noise, (0.0, *widths), mode="wrap"))
        noise /= noise.std()
    return noise * np.float32(sigma_hu)
