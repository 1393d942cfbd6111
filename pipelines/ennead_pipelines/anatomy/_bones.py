"""Bones on CT by attenuation: cortex, what it encloses, and what hangs on it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ennead.coarse import Coarse, Image, bounding_box, box_close, box_dilate, box_erode
from ennead.findings import Mask

#: Bone for certain (on 2 mm), and bone where it lies next to that.
CORTEX_HU = 230.0
SPONGY_HU = 115.0
#: At a bone's surface: midway between it and soft tissue.
SURFACE_HU = 100.0
#: How far spongy bone is believed to reach from cortex.
REACH_MM = 4.0
#: Marrow that is closed off by gaps up to twice this belongs to its bone.
CLOSING_MM = 4.5
#: Smaller specks (calcified vessels, clips) are not bone.
SPECK_CM3 = 0.3
#: Contrast medium: an even region brighter than this whose inside is at least this deep.
CONTRAST_HU = 200.0
DEEP_MM = 5.0
#: Standard deviation over mean within it; bone varies more.
EVEN = 0.12
CONTRAST_CM3 = 0.5
#: No bone is deep over so large a part; a heart is, however unevenly it fills.
HEART_CM3 = 80.0
#: What a slice of bone encloses is marrow unless it looks like brain or cord, or is wide.
NERVOUS_HU = (10.0, 60.0)
MARROW_CM2 = 15.0
_ALL_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def bones(coarse: Coarse, patient: Mask) -> tuple[Mask, Mask]:
    """Bones of the patient, and bright contrast medium that is not bone, on the coarse grid.

    Returns
    -------
    (bool[z, y, x], bool[z, y, x])
        Either may select nothing. Teeth, metal and large calcifications count as bone; so does
        contrast medium in vessels thinner than about 13 mm that touch bone.
    """
    spacing = coarse.grid.spacing_mm
    bone, contrast = np.zeros_like(patient), np.zeros_like(patient)
    margin = [int(np.ceil(2 * CLOSING_MM / s)) for s in spacing]
    box = bounding_box(patient & (coarse.hu > CORTEX_HU), margin)
    if box is None:
        return bone, contrast
    hu, inside = coarse.hu[box], patient[box]
    flooded = _contrast(coarse, box, inside)
    seeds = _without_specks((hu > CORTEX_HU) & inside & ~flooded, coarse.grid.voxel_volume_mm3)
    near = box_dilate(seeds, REACH_MM, spacing)
    found = seeds | (near & (hu > SPONGY_HU) & inside & ~flooded)
    found = box_close(found, CLOSING_MM, spacing)
    found |= _marrow(hu, found, spacing[1] * spacing[2] / 100)
    bone[box] = found & inside & ~flooded
    contrast[box] = flooded
    return bone, contrast


def _contrast(coarse: Coarse, box: tuple[slice, slice, slice], inside: Mask) -> Mask:
    """Heart, great vessels and kidneys full of contrast medium: bright, deep and even."""
    spacing, hu = coarse.grid.spacing_mm, coarse.hu[box]
    bright = (hu > CONTRAST_HU) & inside
    cores, _ = ndimage.label(box_erode(bright, DEEP_MM, spacing))
    even = np.zeros_like(inside)
    for label, where in enumerate(ndimage.find_objects(cores), start=1):
        core = cores[where] == label
        values = hu[where][core]
        size_cm3 = values.size * coarse.grid.voxel_volume_mm3 / 1000
        even_enough = size_cm3 >= CONTRAST_CM3 and values.std() < EVEN * values.mean()
        if even_enough or size_cm3 >= HEART_CM3:
            even[where] |= core
    return np.asarray(box_dilate(even, DEEP_MM + 1.0, spacing) & bright)


def _marrow(hu: Image, bone: Mask, pixel_cm2: float) -> Mask:
    """What bone encloses within a slice, without spinal canal, orbit and brain."""
    marrow = np.zeros_like(bone)
    for k in np.flatnonzero(bone.any(axis=(1, 2))):
        holes, count = ndimage.label(ndimage.binary_fill_holes(bone[k]) & ~bone[k])
        if count:
            sizes = np.bincount(holes.ravel())[1:] * pixel_cm2
            means = np.asarray(ndimage.mean(hu[k], holes, np.arange(1, count + 1)))
            nervous = (means > NERVOUS_HU[0]) & (means < NERVOUS_HU[1])
            keep = (sizes <= MARROW_CM2) & ~(nervous & (sizes > 0.5))
            marrow[k] = np.concatenate([[False], keep])[holes]
    return marrow


def _without_specks(seeds: Mask, voxel_mm3: float) -> Mask:
    labels, _ = ndimage.label(seeds, _ALL_NEIGHBOURS)
    keep = np.bincount(labels.ravel()) * voxel_mm3 / 1000 >= SPECK_CM3
    keep[0] = False
    return np.asarray(keep[labels])
