"""Where one clicks, and what of a mask belongs to the click."""

from __future__ import annotations

import torch
from scipy import ndimage
from torch import Tensor

from network_training.randomness import generator
from pet_tumour.train.data import PetCase

#: A click this far from the mask still belongs to its nearest part, in voxels.
_CLICK_VOXELS = 2.0


def hottest(case: PetCase) -> Tensor:
    """int64[3]: the voxel of the tumour with the highest SUV."""
    inside = case.tumour.nonzero()
    return inside[int(case.suv[case.tumour].argmax())]


def clicks(case: PetCase, many: int) -> list[Tensor]:
    """``many`` voxels of the tumour at random that are at least 40 % as hot as its hottest."""
    suv = torch.where(case.tumour, case.suv, torch.zeros(()))
    inside = (suv >= 0.4 * suv.max()).nonzero()
    rng = generator(7, int(case.name.rsplit("_", 1)[1]))
    return [inside[int(torch.randint(len(inside), (), generator=rng))] for _ in range(many)]


def near(mask: Tensor, seed: Tensor) -> Tensor:
    """The connected part of a mask that holds the seed, or the nearest within two voxels.

    Parameters
    ----------
    mask : bool[x, y, z]
    seed : float32[3] or int64[3]
        In voxels.

    Returns
    -------
    bool[x, y, z]
        Empty where nothing of the mask is near.
    """
    parts, _ = ndimage.label(mask.numpy())
    voxels = mask.nonzero()
    if not len(voxels):
        return torch.zeros_like(mask)
    away = (voxels - seed).float().norm(dim=1)
    if float(away.min()) > _CLICK_VOXELS:
        return torch.zeros_like(mask)
    x, y, z = voxels[int(away.argmin())].tolist()
    return torch.from_numpy(parts == parts[x, y, z])
