"""The network: the tumour around the middle of a cube of SUV.

The seed is the cube's middle voxel; what depends on it (distance, brightness beside the seed) is
made inside the network, so that its only input is SUV.
"""

from __future__ import annotations

from typing import Final

import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

#: Voxels of a side of the cube, and their spacing in mm.
SIDE: Final = 64
GRID_MM: Final = 4.0
#: SUV above it counts as this much.
SUV_MOST: Final = 40.0
_BESIDE_MM: Final = 12.0
_REACH_MM: Final = 40.0


class TumourNetwork(nn.Module):
    """Tumour that holds the seed.

    *Reads* float32[b, 1, 64, 64, 64], SUV, 4 mm, RAS; the seed is voxel (32, 32, 32).
    *Gives* float32[b, 1, 64, 64, 64], logit of "tumour".
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("axis_mm", (torch.arange(SIDE) - SIDE // 2) * GRID_MM, False)
        self.stem = nn.Conv3d(4, 32, kernel_size=2, stride=2)
        self.body = DynUNet(
            spatial_dims=3,
            in_channels=32,
            out_channels=32,
            kernel_size=[3, 3, 3, 3],
            strides=[1, 2, 2, 2],
            upsample_kernel_size=[2, 2, 2],
            filters=[32, 48, 80, 96],
            norm_name=("instance", {"affine": True}),
        )
        self.finer = nn.ConvTranspose3d(32, 8, kernel_size=2, stride=2)
        self.head = nn.Sequential(
            nn.Conv3d(12, 16, kernel_size=3, padding=1), nn.ReLU(), nn.Conv3d(16, 1, kernel_size=1)
        )

    def channels(self, suv: Tensor) -> Tensor:
        """float32[b, 4, …]: SUV, its logarithm, SUV over that beside the seed, nearness."""
        squared = self.axis_mm**2
        distance_mm = (squared[:, None, None] + squared[:, None] + squared).sqrt()[None, None]
        suv = suv.clamp(0.0, SUV_MOST)
        beside = (suv * (distance_mm <= _BESIDE_MM)).amax(dim=(2, 3, 4), keepdim=True)
        relative = (suv / (beside + 0.1)).clamp(0.0, 2.0)
        nearness = torch.exp(-distance_mm / _REACH_MM).expand_as(suv)
        return torch.cat([suv / 10, torch.log1p(suv) / 3, relative, nearness], dim=1)

    def forward(self, suv: Tensor) -> Tensor:
        """Logit of "tumour"."""
        channels = self.channels(suv)
        fine = self.finer(self.body(self.stem(channels)))
        logit: Tensor = self.head(torch.cat([fine, channels], dim=1))
        return logit
