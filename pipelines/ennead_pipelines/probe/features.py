"""What one axial CT slice shows: body, lungs, bone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ennead.findings import Mask

TISSUE_HU: Final = -300.0
AIR_HU: Final = -500.0
BONE_HU: Final = 200.0
PADDING_HU: Final = -1200.0
#: A lung's mean; gas lies below, fat above.
LUNG_HU: Final = (-930.0, -550.0)
#: Vessels make a lung uneven; foam is even.
LUNG_SD_HU: Final = 25.0
LUNG_CM2: Final = 8.0
#: Share of a lung's surroundings, within the image, that is tissue of the body.
SURROUNDED: Final = 0.6
#: Table shells and blankets are thinner than twice this.
THIN_MM: Final = 6.0
BODY_CM2: Final = 8.0
#: Bone at least this far from the middle makes a ring, in so many directions.
RING_MM: Final = 35.0
DIRECTIONS: Final = 36


@dataclass(frozen=True)
class SliceFeatures:
    """One slice. Lengths in mm, areas in cm2; masks bool[y, x]."""

    hu: npt.NDArray[np.float32]
    pixel_mm: tuple[float, float]

    @property
    def pixel_cm2(self) -> float:
        """Area of a pixel."""
        return self.pixel_mm[0] * self.pixel_mm[1] / 100

    def area_cm2(self, mask: Mask) -> float:
        """Area of a mask."""
        return float(np.count_nonzero(mask)) * self.pixel_cm2

    @cached_property
    def parts(self) -> list[Mask]:
        """Parts of the body, largest first, with what they enclose: a trunk, or two legs."""
        tissue = self.hu > TISSUE_HU
        away = ndimage.distance_transform_edt(np.pad(tissue, 1, mode="edge"), self.pixel_mm)
        cores, count = ndimage.label(away[1:-1, 1:-1] > THIN_MM)
        found = []
        for label in range(1, count + 1):
            core = cores == label
            if self.area_cm2(core) < BODY_CM2 / 2:
                continue
            grown = ndimage.distance_transform_edt(~core, self.pixel_mm) <= 1.5 * THIN_MM
            part = np.asarray(ndimage.binary_fill_holes(grown & tissue))
            if self.area_cm2(part) >= BODY_CM2:
                found.append(part)
        return sorted(found, key=lambda part: -int(part.sum()))

    @cached_property
    def body(self) -> Mask:
        """All parts, and lungs that the field of view cuts open."""
        whole = np.zeros(self.hu.shape, dtype=bool)
        for part in self.parts:
            whole |= part
        return np.asarray(ndimage.binary_fill_holes(whole | self.lungs))

    @cached_property
    def lungs(self) -> Mask:
        """Air as dense as lung with the body's tissue around it; table foam has it on one side."""
        labels, count = ndimage.label((self.hu <= AIR_HU) & (self.hu > PADDING_HU))
        found = np.zeros(self.hu.shape, dtype=bool)
        sizes = np.bincount(labels.ravel()) * self.pixel_cm2
        for label in range(1, count + 1):
            if sizes[label] >= LUNG_CM2:
                pocket = np.asarray(labels == label)
                core = ndimage.binary_erosion(pocket, iterations=2, border_value=1)
                inner = self.hu[core if core.any() else pocket]
                dense = LUNG_HU[0] < float(np.median(inner)) < LUNG_HU[1]
                if dense and inner.std() >= LUNG_SD_HU and self._in_body(pocket):
                    found |= pocket
        return found

    def _in_body(self, pocket: Mask) -> bool:
        whole = ndimage.binary_fill_holes(pocket)
        ring = ndimage.binary_dilation(whole, iterations=3) & ~ndimage.binary_dilation(whole)
        if not ring.any():
            return False
        tissue = np.zeros(self.hu.shape, dtype=bool)
        for part in self.parts:
            tissue |= part
        return float(tissue[ring].mean()) >= SURROUNDED

    @cached_property
    def lung_cm2(self) -> float:
        """Area of both lungs."""
        return self.area_cm2(self.lungs)

    @cached_property
    def bone(self) -> Mask:
        """Bright tissue of the body."""
        return np.asarray((self.hu > BONE_HU) & self.body)

    @cached_property
    def spine(self) -> tuple[float, float] | None:
        """(row, column) of the middle of most bone over the width of a vertebra; None without."""
        size = [max(1, round(30.0 / mm)) for mm in self.pixel_mm]
        smooth = ndimage.uniform_filter(self.bone.astype(np.float32), size, mode="constant")
        row, column = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
        return (float(row), float(column)) if smooth[row, column] >= 0.15 else None

    @cached_property
    def ring_share(self) -> float:
        """Share of the directions from the middle of the largest part that meet bone far out.

        A skull is met nearly everywhere, even where it is broken or opened; ribs and limbs are not.
        """
        if not self.parts:
            return 0.0
        middle = np.argwhere(self.parts[0]).mean(axis=0)
        away = (np.argwhere(self.bone) - middle) * np.array(self.pixel_mm)
        far = away[np.hypot(away[:, 0], away[:, 1]) >= RING_MM]
        turn = np.floor(np.arctan2(far[:, 0], far[:, 1]) / (2 * np.pi) * DIRECTIONS)
        return float(np.unique(turn).size / DIRECTIONS)

    @cached_property
    def width_mm(self) -> float:
        """Of the largest part, from right to left."""
        return _extent(self.parts[0], 1, self.pixel_mm[1]) if self.parts else 0.0

    @cached_property
    def depth_mm(self) -> float:
        """Of the largest part, from front to back."""
        return _extent(self.parts[0], 0, self.pixel_mm[0]) if self.parts else 0.0

    @cached_property
    def at_edge(self) -> float:
        """Share of the image's edge that the body covers: 0 when the whole body is in the field."""
        body = self.body
        return float(np.concatenate([body[0], body[-1], body[:, 0], body[:, -1]]).mean())


def _extent(mask: Mask, axis: int, pixel_mm: float) -> float:
    where = np.flatnonzero(mask.any(axis=1 - axis))
    return float(where[-1] - where[0] + 1) * pixel_mm if where.size else 0.0
