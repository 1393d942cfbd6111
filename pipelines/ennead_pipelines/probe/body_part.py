"""Which parts of the body axial CT slices show, by lungs, bone and width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from ennead_pipelines.probe.answer import UNKNOWN, Answer
from ennead_pipelines.probe.features import SliceFeatures
from ennead_pipelines.probe.sample import Sample

#: Lung in a slice of the chest.
CHEST_LUNG_CM2: Final = 40.0
#: A head is no larger, and its skull is met in nearly every direction.
HEAD_MM: Final = 240.0
SKULL_SHARE: Final = 0.85
#: A trunk is at least this wide; one limb at most so wide.
TRUNK_MM: Final = 240.0
LIMB_MM: Final = 230.0
#: More of the body than this cut off by the field of view: widths say nothing.
CUT_SHARE: Final = 0.25
#: Hip bones on each side, away from the spine.
HIP_CM2: Final = 7.0
HIP_MM: Final = 45.0
#: Neighbouring slices must agree, where there are as many.
LEAST_SLICES: Final = 2


def body_part(sample: Sample) -> Answer:
    """Any of ``head``, ``chest``, ``abdomen``, ``pelvis``, ``limb``; or ``unknown``."""
    if sample.modality != "CT" or not sample.axial:
        return Answer.unknown()
    shown = [part_of(each) for each in sample.slices]
    numbers: dict[str, float | str] = {f"{n}_slices": count for n, count in Counter(shown).items()}
    found = tuple(sorted(set(believed(shown)) - {UNKNOWN}))
    return Answer(found, numbers) if found else Answer.unknown(**numbers)


def believed(shown: Sequence[str]) -> list[str]:
    """The parts of slices from feet to head; one that no neighbour agrees with is unknown."""
    if len(shown) < LEAST_SLICES:
        return list(shown)
    beside = [(shown[k - 1] if k else "", *shown[k + 1 : k + 2]) for k in range(len(shown))]
    return [part if part in near else UNKNOWN for part, near in zip(shown, beside, strict=True)]


def part_of(features: SliceFeatures) -> str:
    """What one slice shows."""
    if not features.parts:
        return UNKNOWN
    if features.lung_cm2 >= CHEST_LUNG_CM2:
        return "chest"
    cut = features.at_edge > CUT_SHARE
    small = features.width_mm <= HEAD_MM and features.depth_mm <= HEAD_MM
    if small and not cut and features.ring_share >= SKULL_SHARE:
        return "head"
    if cut:
        return UNKNOWN
    if features.width_mm >= TRUNK_MM:
        if features.lung_cm2 > 0:
            return UNKNOWN  # between chest and abdomen, or shoulders
        return _lower_trunk(features)
    return "limb" if _is_limb(features) else UNKNOWN


def _lower_trunk(features: SliceFeatures) -> str:
    """Abdomen or pelvis by the bone beside the spine; without a spine nobody can tell."""
    spine = features.spine
    if spine is None:
        return UNKNOWN
    columns = np.arange(features.hu.shape[1]) * features.pixel_mm[1]
    inside = np.flatnonzero(features.parts[0].any(axis=0))
    middle = float(inside.mean()) * features.pixel_mm[1]
    right = features.area_cm2(features.bone & (columns < middle - HIP_MM))
    left = features.area_cm2(features.bone & (columns > middle + HIP_MM))
    if right >= HIP_CM2 and left >= HIP_CM2:
        return "pelvis"
    return "abdomen" if right < HIP_CM2 / 2 or left < HIP_CM2 / 2 else UNKNOWN


def _is_limb(features: SliceFeatures) -> bool:
    """Parts that are each slender and hold dense bone around marrow."""
    if any(_width(part, features) > LIMB_MM for part in features.parts[:2]):
        return False
    bone = features.area_cm2(features.bone)
    share = bone / features.area_cm2(features.body)
    return 0.02 <= share <= 0.35 and float(features.hu.max()) > 700 and features.ring_share < 0.5


def _width(part: np.ndarray, features: SliceFeatures) -> float:
    where = np.flatnonzero(part.any(axis=0))
    return float(where[-1] - where[0] + 1) * features.pixel_mm[1]
