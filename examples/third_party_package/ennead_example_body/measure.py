"""The package's measurements: pure functions of arrays and a grid, without any input or output."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ennead.findings import HUVolume, Mask
from ennead.geometry import Grid

TISSUE_HU = -300.0


def body_mask(hu: HUVolume) -> Mask:
    """The largest connected region of tissue, with the air it encloses in each slice.

    Parameters
    ----------
    hu : float32[z, y, x], HU

    Returns
    -------
    bool[z, y, x]
        Selects nothing when there is no tissue.
    """
    tissue = ndimage.binary_opening(hu > TISSUE_HU, iterations=2)
    labels, count = ndimage.label(tissue)
    if count == 0:
        return np.zeros(hu.shape, dtype=bool)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest])


def volume_cm3(mask: Mask, grid: Grid) -> float:
    """Volume in cm3.

    Definition: number of voxels times the volume of one (DICOM PS3.16, 126030 DCM).
    """
    return float(np.count_nonzero(mask)) * grid.voxel_volume_mm3 / 1000


def mean_hu(hu: HUVolume, mask: Mask) -> float:
    """Mean attenuation in HU; ``mask`` selects at least one voxel.

    Definition: arithmetic mean over the selected voxels.
    """
    return float(hu[mask].mean(dtype=np.float64))


def sd_hu(hu: HUVolume, mask: Mask) -> float:
    """Standard deviation of the selected voxels; ``mask`` selects at least one."""
    return float(hu[mask].std(dtype=np.float64))


def connected_region(hu: HUVolume, seed: tuple[int, int, int], tolerance_hu: float) -> Mask:
    """What is joined to ``seed`` and differs from it by at most ``tolerance_hu``.

    Parameters
    ----------
    hu : float32[z, y, x], HU
    seed : (z, y, x)
        A voxel; the mean of its neighbourhood is what the others are compared with.

    Returns
    -------
    bool[z, y, x]
        Selects nothing when the seed's own voxel differs from its neighbourhood by more.
    """
    near = tuple(slice(max(0, s - 1), s + 2) for s in seed)
    alike = np.abs(hu - hu[near].mean(dtype=np.float64)) <= tolerance_hu
    labels, _ = ndimage.label(alike)
    return np.asarray((labels == labels[seed]) & alike[seed])
