"""Brightness of each value of a label map, drawn at random: any contrast, or near a known one.

Half of the images (none at the start of training) take a brightness of its own for each structure,
as in SynthSeg. The others stay near what a tissue looks like in T1, T2, FLAIR, proton-density or CT
images, so that few training steps go a long way; nothing in it is measured from an image.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Generator, Tensor

from head_structures.train.structures import one_side_table
from network_training.randomness import uniform

Range = tuple[float, float]

#: Tissue of each (left) map value, with the share of white matter in mixed ones.
_WHITE_SHARE: Final[dict[int, float]] = {
    2: 1.0,
    7: 0.95,
    3: 0.0,
    8: 0.0,
    10: 0.5,
    11: 0.1,
    12: 0.2,
    13: 0.75,
    16: 0.85,
    17: 0.1,
    18: 0.05,
    26: 0.1,
    28: 0.7,
    85: 0.7,
    136: 0.5,
    137: 0.5,
}
_FLUID: Final = (4, 5, 14, 15, 24, 72)
_OTHER: Final[dict[str, tuple[int, ...]]] = {
    "lesion": (25,),
    "vessel": (30,),
    "bone": (215,),
    "fat": (211, 216),
    "muscle": (207, 202, 212, 209, 214),
    "eye": (206,),
    "nerve": (208, 230),
}
#: Brightness of tissues, by family of images.
FAMILIES: Final[dict[str, dict[str, Range]]] = {
    "t1": {
        "white": (0.70, 0.95),
        "grey": (0.42, 0.65),
        "fluid": (0.05, 0.28),
        "lesion": (0.40, 0.65),
        "vessel": (0.10, 0.90),
        "bone": (0.02, 0.30),
        "fat": (0.60, 1.00),
        "muscle": (0.25, 0.60),
        "eye": (0.08, 0.30),
        "nerve": (0.40, 0.80),
    },
    "t2": {
        "white": (0.22, 0.42),
        "grey": (0.40, 0.62),
        "fluid": (0.80, 1.00),
        "lesion": (0.55, 0.90),
        "vessel": (0.02, 0.60),
        "bone": (0.02, 0.25),
        "fat": (0.25, 0.90),
        "muscle": (0.12, 0.40),
        "eye": (0.75, 1.00),
        "nerve": (0.20, 0.50),
    },
    "flair": {
        "white": (0.36, 0.55),
        "grey": (0.48, 0.72),
        "fluid": (0.02, 0.20),
        "lesion": (0.75, 1.00),
        "vessel": (0.02, 0.60),
        "bone": (0.02, 0.25),
        "fat": (0.25, 0.95),
        "muscle": (0.15, 0.45),
        "eye": (0.02, 0.30),
        "nerve": (0.30, 0.60),
    },
    "pd": {
        "white": (0.50, 0.68),
        "grey": (0.66, 0.88),
        "fluid": (0.55, 1.00),
        "lesion": (0.70, 1.00),
        "vessel": (0.02, 0.90),
        "bone": (0.02, 0.25),
        "fat": (0.40, 1.00),
        "muscle": (0.40, 0.70),
        "eye": (0.60, 1.00),
        "nerve": (0.50, 0.80),
    },
    "ct": {
        "white": (0.32, 0.40),
        "grey": (0.41, 0.52),
        "fluid": (0.05, 0.20),
        "lesion": (0.20, 0.40),
        "vessel": (0.50, 0.65),
        "bone": (0.95, 1.00),
        "fat": (0.00, 0.03),
        "muscle": (0.45, 0.85),
        "eye": (0.05, 0.30),
        "nerve": (0.30, 0.50),
    },
}
_VALUES: Final = 256


def draw_contrast(rng: Generator, family: str | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the brightness of each map value.

    Parameters
    ----------
    rng : Generator
    family : str or None
        A key of :data:`FAMILIES`; None draws each structure by itself.

    Returns
    -------
    mean, deviation : float32[256]
        Of 0 to 1; both sides of the brain are alike; value 0 (air) is 0 in both.
    """
    mean = torch.rand(_VALUES, generator=rng)
    noisy = 0.10 if family is None else 0.05
    deviation = 0.01 + noisy * torch.rand(_VALUES, generator=rng)
    if family is not None:
        mean = _near(rng, FAMILIES[family], mean)
    sides = one_side_table().long()
    mean, deviation = mean[sides], deviation[sides]
    mean[0] = deviation[0] = 0.0
    return mean, deviation


def _near(rng: Generator, family: dict[str, Range], mean: Tensor) -> Tensor:
    tissue = {name: uniform(rng, *limits) for name, limits in family.items()}
    contrast = abs(tissue["white"] - tissue["grey"])
    for value, share in _WHITE_SHARE.items():
        jitter = uniform(rng, -0.15, 0.15) * contrast
        mean[value] = share * tissue["white"] + (1 - share) * tissue["grey"] + jitter
    for value in _FLUID:
        mean[value] = tissue["fluid"] + uniform(rng, -0.05, 0.05)
    for name, values in _OTHER.items():
        for value in values:
            mean[value] = tissue[name] + uniform(rng, -0.08, 0.08)
    return mean.clamp(0, 1)
