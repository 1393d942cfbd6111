"""Arrays on any grid come back from DICOM at the same places with the same values."""

import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from ennead.geometry import Grid, stack_grid
from ennead.testing.dicomize import write_series
from ennead.testing.phantoms import phantom_grid

DCIODVFY = "/usr/bin/dciodvfy"
KINDS = ["isotropic", "anisotropic", "oblique", "flipped", "coronal"]


def small(kind: str) -> tuple[np.ndarray, Grid]:
    whole = phantom_grid(kind)  # type: ignore[arg-type]
    grid = Grid((5, 7, 9), whole.origin_mm, whole.axes, whole.spacing_mm)
    return np.arange(5 * 7 * 9, dtype=np.float32).reshape(grid.shape) - 1000, grid


def read(paths: list[Path]) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(p) for p in paths]


@pytest.mark.parametrize("kind", KINDS)
def test_every_voxel_keeps_its_place_and_value(kind: str, tmp_path: Path) -> None:
    values, grid = small(kind)
    datasets = read(write_series(values, grid, tmp_path))
    back, order = stack_grid(
        [[float(v) for v in d.ImagePositionPatient] for d in datasets],
        [float(v) for v in datasets[0].ImageOrientationPatient],
        [float(v) for v in datasets[0].PixelSpacing],
        datasets[0].Rows,
        datasets[0].Columns,
        datasets[0].FrameOfReferenceUID,
    )
    stored = np.stack([datasets[i].pixel_array for i in order])
    hu = stored * float(datasets[0].RescaleSlope) + float(datasets[0].RescaleIntercept)
    for index in [(0, 0, 0), (4, 6, 8), (2, 3, 1), (0, 6, 0)]:
        place = np.rint(back.to_index(grid.to_patient(index))).astype(int)
        assert back.to_patient(place) == pytest.approx(grid.to_patient(index), abs=1e-6)
        assert hu[tuple(place)] == values[index]


def test_left_handed_grid_keeps_its_places(tmp_path: Path) -> None:
    axes = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid((3, 4, 4), (1.0, 2.0, 3.0), axes, (2.0, 1.0, 1.0))
    values = np.arange(48, dtype=np.float32).reshape(grid.shape)
    datasets = read(write_series(values, grid, tmp_path))
    assert [float(d.ImagePositionPatient[2]) for d in datasets] == [3.0, 1.0, -1.0]
    assert datasets[2].pixel_array[0, 0] - 1024 == values[2, 0, 0]


@pytest.mark.peer(DCIODVFY)
@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("body_part", ["CHEST", None])
def test_validator_finds_no_error(modality: str, body_part: str | None, tmp_path: Path) -> None:
    values, grid = small("oblique")
    path = write_series(values, grid, tmp_path, modality=modality, BodyPartExamined=body_part)[0]
    report = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
    assert [line for line in report.stderr.splitlines() if line.startswith("Error")] == []


def test_same_content_same_bytes_and_another_seed_other_uids(tmp_path: Path) -> None:
    values, grid = small("flipped")
    one, two, other = (
        write_series(values, grid, tmp_path / name, seed=seed)
        for name, seed in (("a", ""), ("b", ""), ("c", "x"))
    )
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    first, changed = pydicom.dcmread(one[0]), pydicom.dcmread(other[0])
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert first[keyword].value != changed[keyword].value


def test_two_series_share_a_study_and_other_content_is_another_series(tmp_path: Path) -> None:
    values, grid = small("flipped")
    first = pydicom.dcmread(write_series(values, grid, tmp_path / "a")[0])
    second = pydicom.dcmread(write_series(values + 1, grid, tmp_path / "b")[0])
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    uids = {pydicom.dcmread(p).SOPInstanceUID for p in (tmp_path / "a").iterdir()}
    assert len(uids) == 5


def test_nothing_is_invented(tmp_path: Path) -> None:
    values, grid = small("isotropic")
    dataset = pydicom.dcmread(write_series(values, grid, tmp_path)[0])
    assert dataset.KVP is None and dataset.SliceThickness is None
    for keyword in ("ContrastBolusAgent", "ConvolutionKernel", "BodyPartExamined"):
        assert keyword not in dataset


def test_attributes_are_written_and_none_leaves_out(tmp_path: Path) -> None:
    values, grid = small("isotropic")
    dataset = pydicom.dcmread(
        write_series(values, grid, tmp_path, KVP=120, PatientName="Đặng^Thị Ánh", StudyID=None)[0]
    )
    assert float(dataset.KVP) == 120
    assert str(dataset.PatientName) == "Đặng^Thị Ánh"
    assert "StudyID" not in dataset


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless])
def test_transfer_syntaxes(syntax: str, tmp_path: Path) -> None:
    values, grid = small("isotropic")
    dataset = pydicom.dcmread(write_series(values, grid, tmp_path, transfer_syntax=syntax)[2])
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(dataset.pixel_array.astype(float) - 1024, values[2])


def test_values_below_the_intercept_are_stored_signed(tmp_path: Path) -> None:
    values, grid = small("isotropic")
    values[0, 0, 0] = -3024
    dataset = pydicom.dcmread(write_series(values, grid, tmp_path)[0])
    assert dataset.PixelRepresentation == 1
    assert dataset.pixel_array[0, 0] - 1024 == -3024


def test_slices_can_be_broken_on_purpose(tmp_path: Path) -> None:
    values, grid = small("isotropic")

    def lose_position(index: int, dataset: pydicom.Dataset) -> None:
        if index == 1:
            del dataset.ImagePositionPatient

    datasets = read(write_series(values, grid, tmp_path, edit=lose_position))
    assert ["ImagePositionPatient" in d for d in datasets] == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[:-1], "shape"),
        (lambda v: np.where(v > 0, np.nan, v), "finite"),
        (lambda v: v * 1000, "16 bits"),
    ],
)
def test_what_cannot_be_written_is_refused(change, message: str, tmp_path: Path) -> None:
    values, grid = small("isotropic")
    with pytest.raises(ValueError, match=message):
        write_series(change(values + 900), grid, tmp_path)
    with pytest.raises(ValueError, match="modality"):
        write_series(values, grid, tmp_path, modality="US")
