"""Anatomy on CT by attenuation and shape alone: no training, the same answer everywhere.

What it cannot do: tell organs of like attenuation apart (liver, spleen, kidneys, vessels, muscle),
lobes, single bones, consolidated lung, the mouth and other cavities open to the room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ennead.coarse import (
    Image,
    ball_dilate,
    box_dilate,
    box_erode,
    coarse_copy,
    enlarge,
    patient_order,
    source_order,
)
from ennead.contracts import Anatomy, Volume
from ennead.findings import Mask
from ennead_pipelines.anatomy._body import AIR_HU, TISSUE_HU, with_cavities
from ennead_pipelines.anatomy._bones import SURFACE_HU, bones
from ennead_pipelines.anatomy._lungs import CoarseLungs, find_lungs, refine_lungs
from ennead_pipelines.anatomy._sides import LEFT, RIGHT

#: Values of the label map; 0 is the room's air.
VALUES: Final = {
    "tissue": 1,
    "right_lung": 2,
    "left_lung": 3,
    "airway": 4,
    "bones": 5,
    "inner_gas": 6,
    "table": 7,
}
STRUCTURES: Final[dict[str, tuple[int, ...]]] = {
    "body": (1, 2, 3, 4, 5, 6),
    "lungs": (2, 3),
    "right_lung": (2,),
    "left_lung": (3,),
    "airway": (4,),
    "bones": (5,),
    "inner_gas": (6,),
    "table": (7,),
}
SMALLEST_SLICES: Final = 3
_VOXELS = (1.0, 1.0, 1.0)


class ClassicalCT:
    """Body, lungs, central airway, bones, other gas inside, and what lies outside the patient.

    Reads
        A CT volume in HU, any orientation.
    Writes
        :data:`STRUCTURES`; landmark ``bone_column`` (the spine of a trunk); quality numbers.
    """

    id = "classical-ct"
    version = "1.0.0"

    @property
    def structures(self) -> Sequence[str]:
        """Names of :data:`STRUCTURES`."""
        return tuple(STRUCTURES)

    def fits(self, volume: Volume) -> bool:
        """CT of at least three slices."""
        return volume.modality == "CT" and volume.grid.shape[0] >= SMALLEST_SLICES

    def compute(self, volume: Volume) -> Anatomy:
        """uint8 labels on the volume's grid."""
        grid = volume.grid
        order, flip = grid.canonical()
        hu = np.asarray(patient_order(volume.values, grid))
        coarse = coarse_copy(hu, grid.reordered(order, flip))
        lungs = find_lungs(coarse)
        patient = with_cavities(lungs.tissue, lungs.closed > 0, lungs.airway)
        bone, contrast = bones(coarse, patient)
        labels = _labels(hu, lungs, patient, bone)
        quality = _quality(labels, grid.voxel_volume_mm3)
        quality["contrast_cm3"] = _cm3(contrast, coarse.grid.voxel_volume_mm3)
        landmarks = {}
        if lungs.middle is not None:
            middle = ((coarse.hu.shape[0] - 1) / 2, lungs.middle.row, lungs.middle.column)
            x, y, z = (float(v) for v in coarse.grid.to_patient(middle))
            landmarks["bone_column"] = (x, y, z)
        return Anatomy(
            labels=np.ascontiguousarray(source_order(labels, grid)),
            structures=STRUCTURES,
            provider=self.id,
            version=self.version,
            quality=quality,
            landmarks_mm=landmarks,
        )


def _labels(hu: Image, lungs: CoarseLungs, patient: Mask, bone: Mask) -> npt.NDArray[np.uint8]:
    """The full image in patient order: coarse insides, and boundaries by its own values."""
    air = hu <= AIR_HU
    labels = np.full(hu.shape, VALUES["table"], dtype=np.uint8)
    _set(labels, 0, air)
    inside = _refined(patient, hu > TISSUE_HU, lungs)
    _set(labels, VALUES["tissue"], inside)
    _set(labels, VALUES["bones"], _refined(bone, hu > SURFACE_HU, lungs) & inside)
    _set(labels, VALUES["inner_gas"], inside & air)
    if lungs.closed.any():  # without lungs, tall gas near the midline may as well be gut
        _set(labels, VALUES["airway"], _airway(lungs, hu.shape) & air)
    sides = refine_lungs(hu, lungs)
    _set(labels, VALUES["right_lung"], sides == RIGHT)
    _set(labels, VALUES["left_lung"], sides == LEFT)
    return labels


def _set(labels: npt.NDArray[np.uint8], value: int, where: Mask) -> None:
    np.copyto(labels, np.uint8(value), where=where)


def _airway(lungs: CoarseLungs, shape: tuple[int, int, int]) -> Mask:
    """Blocks of the full image that may hold the lumen."""
    spacing = lungs.coarse.grid.spacing_mm
    wide = ball_dilate(lungs.airway, 1.01 * max(spacing), spacing) & (lungs.sides == 0)
    return enlarge(wide, lungs.coarse.factors, shape)


def _refined(coarse_mask: Mask, like: Mask, lungs: CoarseLungs) -> Mask:
    """The coarse mask's inside, and within a coarse voxel of its surface what is ``like`` it."""
    factors = lungs.coarse.factors
    inner = box_erode(coarse_mask, 1.0, _VOXELS)
    outer = box_dilate(coarse_mask, 1.0, _VOXELS)
    found = np.asarray(enlarge(outer, factors, like.shape) & like)
    found |= enlarge(inner, factors, like.shape)
    return found


def _quality(labels: npt.NDArray[np.uint8], voxel_mm3: float) -> dict[str, float]:
    bins = max(VALUES.values()) + 1
    counts = np.sum([np.bincount(plane.ravel(), minlength=bins) for plane in labels], axis=0)
    found = {
        f"{name}_cm3": float(counts[list(values)].sum()) * voxel_mm3 / 1000
        for name, values in STRUCTURES.items()
    }
    found["lung_left_right_ratio"] = _ratio(found)
    edge = np.concatenate(
        [
            labels[:, 0].ravel(),
            labels[:, -1].ravel(),
            labels[..., 0].ravel(),
            labels[..., -1].ravel(),
        ]
    )
    body = np.isin(edge, STRUCTURES["body"])
    found["body_at_field_edge_percent"] = 100.0 * float(body.mean())
    return found


def _ratio(found: Mapping[str, float]) -> float:
    """Left over right lung; 0 where either is missing."""
    right, left = found["right_lung_cm3"], found["left_lung_cm3"]
    return left / right if right else 0.0


def _cm3(mask: Mask, voxel_mm3: float) -> float:
    return float(np.count_nonzero(mask)) * voxel_mm3 / 1000
