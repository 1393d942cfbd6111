"""The classical method: 41 % of the hottest voxel, in the part that holds the seed.

Boellaard et al., Eur J Nucl Med Mol Imaging 2015 (EANM procedure guidelines), VOI of 41 %.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from pet_tumour.train.data import PetCase
from pet_tumour.train.seeds import near

SHARE: Final = 0.41
_STEP_MM: Final = 15.0


def share_of_most(case: PetCase, seed: Tensor, most: float | None = None) -> Tensor:
    """Voxels of at least 41 % of the hottest, connected to the seed.

    Parameters
    ----------
    case : PetCase
    seed : int64[3]
        In voxels.
    most : float, optional
        The hottest SUV; absent, it is looked for by climbing from the seed to the hottest voxel
        within 15 mm until nothing hotter is there.

    Returns
    -------
    bool[x, y, z]
    """
    top = climb(case, seed)
    limit = SHARE * (float(case.suv[tuple(top.tolist())]) if most is None else most)
    return near(case.suv >= limit, top if most is None else seed)


def climb(case: PetCase, seed: Tensor) -> Tensor:
    """int64[3]: the hottest voxel one comes to from ``seed`` in steps of at most 15 mm."""
    axes = [torch.arange(length) for length in case.suv.shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    here = seed.long()
    while True:
        away = ((grid - here) * case.spacing_mm).norm(dim=-1)
        there = torch.where(away <= _STEP_MM, case.suv, torch.full((), -1.0)).argmax()
        found = torch.stack(torch.unravel_index(there, case.suv.shape))
        if bool((found == here).all()):
            return here
        here = found
