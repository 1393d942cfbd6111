"""Trachea and main bronchi: the homogeneous air that is not lung."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ennead.coarse import Coarse, ball_dilate
from ennead.findings import Mask
from ennead_pipelines.anatomy._body import Midline, middle_of_tissue, volume_cm3

#: Smoothing before the lumen is sought; keeps lumina wider than about 6 mm.
SMOOTHING_MM = 1.0
#: Tried in turn until the region no longer leaks into emphysema.
CORE_HU = (-930.0, -945.0, -960.0, -975.0, -985.0)
#: The core of trachea and main bronchi is never larger than this.
LARGEST_CM3 = 90.0
SMALLEST_CM3 = 1.0
#: From the core to the wall of the lumen.
WALL_MM = 4.5
#: The core must come this near to the midline.
MEDIAL_MM = 45.0
#: Shorter gas is airway only where the top slice cuts it.
SMALLEST_HEIGHT_MM = 20.0
#: Gas below the top slice is airway only in a pocket with as much air as a lung.
LUNG_CM3 = 150.0
#: A core that fills this share of its pocket is gut gas, not an airway leaking into lung.
GAS_SHARE = 0.6
#: At least this share of an airway's surroundings is tissue; emphysema lies in air.
TISSUE_SHARE = 0.55


def central_airway(coarse: Coarse, air: Mask, middle: Midline | None) -> Mask:
    """bool[z, y, x]: lumen of trachea and main bronchi on the coarse grid; may select nothing.

    A pocket of smoothed, homogeneous air is airway when it comes near the midline, is part of a
    larger pocket of air (the lungs') or else reaches the top slice, is tall enough, lies in tissue,
    and is not larger than an airway can be. The threshold falls until that holds, so that
    emphysema does not flow into it.
    """
    spacing = coarse.grid.spacing_mm
    smooth = ndimage.gaussian_filter(coarse.hu, [SMOOTHING_MM / s for s in spacing])
    pockets, _ = ndimage.label(air)
    pocket_cm3 = np.bincount(pockets.ravel()) * coarse.grid.voxel_volume_mm3 / 1000
    margin = int(np.ceil(2 * WALL_MM / min(spacing)))
    joined, loose = np.zeros_like(air), np.zeros_like(air)
    for threshold in CORE_HU:
        joined[:] = loose[:] = False
        cores, _ = ndimage.label(air & (smooth <= threshold))
        leaking = False
        for label, tight in enumerate(ndimage.find_objects(cores), start=1):
            box = tuple(slice(max(0, b.start - margin), b.stop + margin) for b in tight)
            core = cores[box] == label
            size = volume_cm3(core, coarse)
            if size < SMALLEST_CM3 or not _medial(core, box, coarse, middle):
                continue
            around = float(pocket_cm3[pockets[box][core][0]])
            if size > LARGEST_CM3:
                leaking |= size < GAS_SHARE * around
            elif _airway_like(core, air[box], around, tight, coarse):
                (joined if around >= LUNG_CM3 else loose)[box] |= core
        if not leaking:
            break
    # Beside an airway that opens into the lungs, loose gas that tall is in the oesophagus.
    return _to_the_wall(joined if joined.any() else loose, air, spacing)


def _to_the_wall(lumen: Mask, air: Mask, spacing: tuple[float, float, float]) -> Mask:
    found = np.zeros_like(lumen)
    labels, _ = ndimage.label(lumen)
    margin = [int(np.ceil(WALL_MM / s)) + 1 for s in spacing]
    for box in ndimage.find_objects(labels):
        wide = tuple(
            slice(max(0, b.start - m), b.stop + m) for b, m in zip(box, margin, strict=True)
        )
        found[wide] |= ball_dilate(lumen[wide], WALL_MM, spacing) & air[wide]
    return found


def _medial(core: Mask, box: tuple[slice, ...], coarse: Coarse, middle: Midline | None) -> bool:
    columns = np.nonzero(core.any(axis=(0, 1)))[0] + box[2].start
    centre = middle.column if middle else middle_of_tissue(coarse)
    return float(np.abs(columns - centre).min()) * coarse.grid.spacing_mm[2] <= MEDIAL_MM


def _airway_like(
    core: Mask, air: Mask, around_cm3: float, tight: tuple[slice, ...], coarse: Coarse
) -> bool:
    spacing = coarse.grid.spacing_mm
    if tight[0].stop < coarse.hu.shape[0]:
        tall = (tight[0].stop - tight[0].start) * spacing[0] >= SMALLEST_HEIGHT_MM
        if not tall or around_cm3 < LUNG_CM3:
            return False
    distance = ndimage.distance_transform_edt(~core, sampling=spacing)
    shell = (distance > WALL_MM) & (distance <= 2 * WALL_MM)
    return float((~air)[shell].mean()) >= TISSUE_SHARE
