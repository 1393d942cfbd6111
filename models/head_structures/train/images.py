"""Real heads, never trained on: reading them as arrays with their grids."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import nibabel
import numpy as np
import numpy.typing as npt

from ennead.geometry import Grid
from ennead_models.spaces import grid_of_ras
from head_structures.train.data import data_folder

_MS: Final = "N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"


class RealHead(NamedTuple):
    """``values`` float32[z, y, x] on ``grid``; ``kind`` ``whole``, ``stripped`` or ``ct``."""

    name: str
    kind: str
    values: npt.NDArray[np.float32]
    grid: Grid


#: Name, path in the data folder, kind. Licences: MIT, BSD-2, CC BY, CC BY, GPL-2 (not shown).
IMAGES: Final = (
    ("t1_child", "neuro/t1_mprage_dicom", "whole"),
    ("flair_stroke", "neuro/flair_niivue/FLAIR.nii.gz", "stripped"),
    ("ms19_t1", f"neuro/MS_patient19/T1_{_MS}", "stripped"),
    ("ms19_flair", f"neuro/MS_patient19/FLAIR_{_MS}", "stripped"),
    ("ms07_t1", "train/ms_lesions/patient07/T1.nii.gz", "stripped"),
    ("ms07_t2", "train/ms_lesions/patient07/T2.nii.gz", "stripped"),
    ("ms07_flair", "train/ms_lesions/patient07/FLAIR.nii.gz", "stripped"),
    ("ct_cranium", "dental/invesalius_cranium_ct/cranium_ct.nii.gz", "ct"),
)


def read_real(name: str) -> RealHead:
    """One of :data:`IMAGES`.

    Raises
    ------
    FileNotFoundError
        The data folder lacks it.
    """
    _, place, kind = next(image for image in IMAGES if image[0] == name)
    path = data_folder() / place
    if not path.exists():
        raise FileNotFoundError(path)
    values, affine = _dicom(path) if path.is_dir() else _nifti(path)
    if kind == "ct":
        values = values[:, ::-1]  # its header calls the back front: face and table show it
    shape = (values.shape[0], values.shape[1], values.shape[2])
    return RealHead(
        name, kind, np.ascontiguousarray(values.transpose(2, 1, 0)), grid_of_ras(affine, shape)
    )


def _nifti(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    image = nibabel.load(path)
    return image.get_fdata(dtype=np.float32), image.affine


def _dicom(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    values = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0).astype(np.float32)
    return values, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
