"""Real images for looking at: a name, and the volume with its header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from ennead.contracts import Volume
from ennead.geometry import stack_grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.testing.nifti import read_nifti

#: Series of other modalities, for what can be said of them.
OTHERS = (
    "neuro/t1_mprage_dicom",
    "oncology/STS_002/MR_T1/image",
    "oncology/STS_002/PET/image",
    "oncology/STS_008/PET/image",
)

#: Path below the data folder → what it shows.
CASES = {
    "lung/chest_ct_siemens_2mm/ct.nii.gz": "chest to kidneys, enhanced",
    "lung/ibsi1_lung_cancer_ct/image": "right half of a chest, enhanced",
    "cardio/totalseg_cta_heart_pa/ct_cropped.nii.gz": "crop around the heart, CTA",
    "train/ct_unlabelled/abdomen_philips_2mm.nii.gz": "lung bases to thighs, enhanced",
    "gi/totalseg_ct_3mm/example_ct_sm.nii.gz": "upper abdomen",
    "msk/totalseg_spine_ct/example_ct.nii.gz": "abdomen and pelvis, metal",
    "dental/invesalius_cranium_ct/cranium_ct.nii.gz": "head",
    "oncology/STS_002/CT/image": "crop of a buttock",
    "oncology/STS_008/CT/image": "crop of a shoulder",
}


def read(path: Path) -> Volume:
    """A NIfTI file or a folder of CT instances."""
    header = pydicom.Dataset()
    if path.is_dir():
        datasets = [pydicom.dcmread(f) for f in sorted(path.glob("*.dcm"))]
        header = datasets[0]
        grid, order = stack_grid(
            [list(map(float, d.ImagePositionPatient)) for d in datasets],
            list(map(float, header.ImageOrientationPatient)),
            list(map(float, header.PixelSpacing)),
            header.Rows,
            header.Columns,
            header.FrameOfReferenceUID,
        )
        values = np.stack([rescaled(datasets[i]) for i in order])
        del header.PixelData
    else:
        values, grid = read_nifti(path)
    return Volume(
        values.astype(np.float32),
        grid,
        StudyUID("2.25.1"),
        SeriesUID("2.25.2"),
        str(header.get("Modality", "CT")),
        (),
        header.to_json_dict(),
    )


def rescaled(dataset: pydicom.Dataset) -> np.ndarray:
    slope = float(dataset.get("RescaleSlope", 1))
    return np.asarray(dataset.pixel_array * slope + float(dataset.get("RescaleIntercept", 0)))


def here(data: Path) -> list[tuple[str, str, Path]]:
    """Name, what it shows and path of each case that is there."""
    found = []
    for name, shows in CASES.items():
        path = data / name
        if path.exists():
            found.append((name.removesuffix("/image").removesuffix(".nii.gz"), shows, path))
    return found
