"""The network: MONAI's DynUNet at 4 mm between a stem and a head that speak 2 mm."""

from __future__ import annotations

from typing import Final

import torch
from monai.networks.nets import DynUNet
from torch import nn

from head_structures.train.structures import CHANNELS

#: Lengths of the input must be multiples of it.
MULTIPLE: Final = 16


class HeadNetwork(nn.Sequential):
    """Structures of the head from one image of any contrast.

    Notes
    -----
    The stem halves the grid and the last layer doubles it again: all work is done on an eighth of
    the voxels, whose channels hold what the eight had. This is what lets it train and run on a CPU.

    *Reads* float32[b, 1, x, y, z], 0 to 1, 2 mm, RAS; lengths are multiples of 16.
    *Gives* float32[b, 13, x, y, z], logits.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv3d(1, 8, kernel_size=2, stride=2),
            DynUNet(
                spatial_dims=3,
                in_channels=8,
                out_channels=32,
                kernel_size=[3, 3, 3, 3],
                strides=[1, 2, 2, 2],
                upsample_kernel_size=[2, 2, 2],
                filters=[32, 48, 80, 96],
                norm_name=("instance", {"affine": True}),
            ),
            nn.ConvTranspose3d(32, CHANNELS, kernel_size=2, stride=2),
        )
        # Begin with the eight voxels of a 4 mm voxel alike; they part as it learns.
        last = self[2].weight
        with torch.no_grad():
            last.copy_(last[..., :1, :1, :1].expand_as(last))
