"""Real CTs: plausible masks, honest refusals. The look at the overlays is in the README."""

from pathlib import Path

import numpy as np
import pytest

from ennead.testing.nifti import nifti_to_series, read_nifti

pytestmark = [pytest.mark.package("lung"), pytest.mark.realdata]
DENSITOMETRY = ("laa950", "laa910", "perc15", "perc15_density")


def test_whole_enhanced_chest(test_data: Path, tmp_path: Path, measure, read_folder) -> None:
    nifti_to_series(
        test_data / "lung/chest_ct_siemens_2mm/ct.nii.gz",
        tmp_path,
        KVP=120,
        ConvolutionKernel="B30f",
        ContrastBolusAgent="contrast",
    )
    volume = read_folder(tmp_path)
    answer = measure(volume)
    value = {k: m.value for k, m in answer.measurements.items()}
    assert value["volume_right"] == pytest.approx(2062, rel=0.02)
    assert value["volume_left"] == pytest.approx(1783, rel=0.02)
    assert 0.7 < value["lr_ratio"] < 1.1
    for output in DENSITOMETRY:
        assert answer.codes(output) == {"PHASE"}
    assert all(f.qualifiers == () for f in answer.findings.values())
    both = answer.segments["right_lung_mask"].mask | answer.segments["left_lung_mask"].mask
    # The trachea in the top slice, and gas of the stomach, by their places in the image.
    for place in ((-2, -139, 36), (13, -205, -215)):
        k, j, i = np.rint(volume.grid.to_index(place)).astype(int)
        around = (slice(k - 2, k + 3), slice(j - 4, j + 5), slice(i - 4, i + 5))
        assert not both[around].any()


def test_enhanced_chest_without_its_tag(test_data: Path, measure) -> None:
    values, grid = read_nifti(test_data / "lung/chest_ct_siemens_2mm/ct.nii.gz")
    answer = measure(values, grid, {"KVP": 120, "ConvolutionKernel": "B30f"})
    for output in DENSITOMETRY:
        assert answer.keys(output) == {"refusal.phase.measured"}


def test_cropped_right_half(test_data: Path, measure, read_folder) -> None:
    volume = read_folder(test_data / "lung/ibsi1_lung_cancer_ct/image")
    answer = measure(volume)
    assert set(answer.segments) == {"right_lung_mask"}
    assert answer.measurements == {}
    assert [q.value for q in answer.findings["right_lung"].qualifiers] == ["partial-coverage"]
    for output in ("volume_right", "volume_left", "volume_total", "lr_ratio"):
        assert answer.codes(output) == {"COVERAGE"}
    for output in DENSITOMETRY:
        assert answer.codes(output) == {"PHASE", "TECHNIQUE"}
    mask = answer.segments["right_lung_mask"].mask
    centre = volume.grid.to_patient(np.argwhere(mask).mean(axis=0))
    assert centre[0] < 0


def test_abdomen_with_lung_bases(test_data: Path, measure) -> None:
    values, grid = read_nifti(test_data / "train/ct_unlabelled/abdomen_philips_2mm.nii.gz")
    answer = measure(values, grid)
    assert [(str(r.code), r.subject) for r in answer.refusals] == [("COVERAGE", "")]
    assert len(answer.results) == 1


def test_abdomen_with_bowel_gas(test_data: Path, measure) -> None:
    values, grid = read_nifti(test_data / "gi/totalseg_ct_3mm/example_ct_sm.nii.gz")
    answer = measure(values, grid)
    assert [(str(r.code), r.subject) for r in answer.refusals] == [("NOT_FOUND", "")]


@pytest.mark.parametrize(
    "file",
    [
        "dental/invesalius_cranium_ct",
        "msk/totalseg_spine_ct",
        "cardio/totalseg_cta_heart_pa",
    ],
)
def test_other_anatomy_never_gives_whole_lungs(test_data: Path, measure, file) -> None:
    [*images] = sorted((test_data / file).glob("*ct*.nii.gz"))
    if not images:
        pytest.skip(f"no CT NIfTI in {file}")
    for image in images:
        values, grid = read_nifti(image)
        if values.min() > -500 or values.max() < 200:
            continue
        answer = measure(values, grid)
        assert "volume_total" not in answer.measurements
