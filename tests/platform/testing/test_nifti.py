"""NIfTI RAS and DICOM LPS agree on every position."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from ennead.errors import GeometryNonuniform
from ennead.testing.nifti import nifti_to_series, read_nifti

ROTATED = np.array(
    [
        [0.9 * 0.8, -0.43588989435 * 1.2, 0.0, -12.5],
        [0.43588989435 * 0.8, 0.9 * 1.2, 0.0, 33.25],
        [0.0, 0.0, -2.5, 7.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def save(path: Path, affine: np.ndarray, shape: tuple[int, ...] = (4, 5, 6)) -> np.ndarray:
    data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return data


@pytest.mark.parametrize(
    "affine",
    [np.diag([2.0, 3.0, 4.0, 1.0]), np.diag([-2.0, 3.0, 4.0, 1.0]), ROTATED],
    ids=["ras", "las", "rotated"],
)
def test_every_voxel_keeps_its_world_position(affine, tmp_path: Path) -> None:
    data = save(tmp_path / "a.nii.gz", affine)
    values, grid = read_nifti(tmp_path / "a.nii.gz")
    for i, j, k in np.ndindex(data.shape):
        ras = (affine @ [i, j, k, 1.0])[:3]
        lps = ras * [-1, -1, 1]
        assert grid.to_patient((k, j, i)) == pytest.approx(lps, abs=1e-4)
        assert values[k, j, i] == data[i, j, k]


def test_series_has_the_same_positions(tmp_path: Path) -> None:
    data = save(tmp_path / "a.nii.gz", ROTATED)
    files = nifti_to_series(tmp_path / "a.nii.gz", tmp_path / "s", KVP=100)
    for k, file in enumerate(files):
        d = pydicom.dcmread(file)
        along_row = np.array(d.ImageOrientationPatient[:3], float) * float(d.PixelSpacing[1])
        along_column = np.array(d.ImageOrientationPatient[3:], float) * float(d.PixelSpacing[0])
        point = np.array(d.ImagePositionPatient, float) + 2 * along_row + 3 * along_column
        ras = (ROTATED @ [2, 3, k, 1.0])[:3]
        assert point == pytest.approx(ras * [-1, -1, 1], abs=1e-4)
        assert d.pixel_array[3, 2] - 1024 == data[2, 3, k]
        assert float(d.KVP) == 100


def test_unknown_orientation_shear_and_time_are_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), None)
    nibabel.save(image, tmp_path / "unknown.nii")
    with pytest.raises(ValueError, match="left and right"):
        read_nifti(tmp_path / "unknown.nii")
    sheared = np.diag([1.0, 1.0, 1.0, 1.0])
    sheared[1, 2] = 0.2
    save(tmp_path / "sheared.nii", sheared)
    with pytest.raises(GeometryNonuniform):
        read_nifti(tmp_path / "sheared.nii")
    save(tmp_path / "four.nii", np.eye(4), (2, 2, 2, 3))
    with pytest.raises(ValueError, match="three dimensions"):
        read_nifti(tmp_path / "four.nii")


@pytest.mark.realdata
def test_real_chest(test_data: Path, tmp_path: Path) -> None:
    source = test_data / "lung/chest_ct_siemens_2mm/ct.nii.gz"
    files = nifti_to_series(source, tmp_path)
    image = nibabel.load(source)
    assert len(files) == image.shape[2]
    d = pydicom.dcmread(files[100])
    ras = (image.affine @ [0, 0, 100, 1])[:3]
    assert [float(v) for v in d.ImagePositionPatient] == pytest.approx(list(ras * [-1, -1, 1]))
    plane = d.pixel_array.astype(int) + int(d.RescaleIntercept)
    assert np.array_equal(plane, np.asarray(image.dataobj[..., 100]).T)
    assert "ContrastBolusAgent" not in d
