"""The 50 PET images of soft-tissue sarcomas: reading them, and which patients are held back.

Set ``pet_sts`` of the training folder: SUV and the tumour outline (GTV), cropped to the tumour and
5 cm around it. CC BY 3.0: Vallieres et al., Soft-tissue-Sarcoma, The Cancer Imaging Archive.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

import nibabel
import numpy as np
import torch
from torch import Tensor

FOLDER: Final = Path(__file__).resolve().parent
ROOT: Final = FOLDER.parents[2]


class PetCase(NamedTuple):
    """One patient's PET.

    ``suv`` float32[x, y, z], ``tumour`` bool[x, y, z]; axes to the right, front and top (RAS).
    """

    name: str
    suv: Tensor
    tumour: Tensor
    spacing_mm: Tensor

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(self.spacing_mm.prod()) / 1000


def data_folder() -> Path:
    """The folder of real and training data (``ENNEAD_TEST_DATA``, else ``../shared/data``)."""
    return Path(os.environ.get("ENNEAD_TEST_DATA", ROOT.parent / "shared" / "data"))


def split() -> dict[str, list[str]]:
    """Patients: ``train``, ``development`` and ``held_back`` (``split.toml``)."""
    data: dict[str, list[str]] = tomllib.loads((FOLDER / "split.toml").read_text())
    return data


def read_cases(names: list[str]) -> list[PetCase]:
    """Read patients' PET, with the scale factor applied, and turn them to RAS.

    Raises
    ------
    FileNotFoundError
        The training folder is absent.
    """
    return [_read(data_folder() / "train" / "pet_sts" / name) for name in names]


def _read(folder: Path) -> PetCase:
    image = nibabel.as_closest_canonical(nibabel.load(folder / "pet_suv.nii.gz"))
    mask = nibabel.as_closest_canonical(nibabel.load(folder / "gtv.nii.gz"))
    if image.shape != mask.shape or not np.allclose(image.affine, mask.affine, atol=1e-3):
        raise ValueError(f"{folder.name}: outline and image lie on different grids")
    return PetCase(
        folder.name,
        torch.from_numpy(np.ascontiguousarray(image.get_fdata(dtype=np.float32))),
        torch.from_numpy(np.ascontiguousarray(mask.get_fdata() > 0.5)),
        torch.tensor([float(length) for length in image.header.get_zooms()[:3]]),
    )
