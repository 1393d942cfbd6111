"""The table of docs/reference/probes.md and the numbers of anatomy.md, on real images."""

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.identifiers import SeriesUID, StudyUID
from ennead.testing.nifti import read_nifti
from ennead_pipelines.anatomy.classical_ct import ClassicalCT
from ennead_pipelines.probe.body_part import body_part
from ennead_pipelines.probe.completeness import completeness
from ennead_pipelines.probe.contrast_phase import contrast_phase
from ennead_pipelines.probe.intensity import intensity
from ennead_pipelines.probe.orientation import orientation
from ennead_pipelines.probe.sample import sample_of

pytestmark = pytest.mark.realdata
#: Bones among the 117 labels of TotalSegmentator.
BONES = (25, *range(26, 51), *range(69, 79), 91, *range(92, 117))


@cache
def volume(path: Path) -> Volume:
    values, grid = read_nifti(path)
    return Volume(values, grid, StudyUID("2.25.1"), SeriesUID("2.25.2"), "CT", (), {})


@pytest.mark.parametrize(
    ("file", "parts", "position", "lungs", "phase"),
    [
        ("gi/totalseg_ct_3mm/example_ct_sm", {"abdomen", "chest"}, "agrees", "cut", "none"),
        ("msk/totalseg_spine_ct/example_ct", {"abdomen", "pelvis"}, "agrees", "unknown", "none"),
        ("cardio/totalseg_cta_heart_pa/ct_cropped", {"chest"}, "unknown", "cut", "arterial"),
        ("dental/invesalius_cranium_ct/cranium_ct", {"head"}, "unknown", "unknown", "unknown"),
        ("lung/chest_ct_siemens_2mm/ct", {"abdomen", "chest"}, "agrees", "whole", "unknown"),
        (
            "train/ct_unlabelled/abdomen_philips_2mm",
            {"abdomen", "chest", "pelvis"},
            "agrees",
            "cut",
            "portal",
        ),
    ],
)
def test_what_the_slices_say(test_data: Path, file, parts, position, lungs, phase) -> None:
    looked = sample_of(volume(test_data / f"{file}.nii.gz"))
    assert intensity(looked).values == ("plausible",)
    assert set(body_part(looked).values) == parts
    assert orientation(looked).values == (position,)
    assert completeness(looked, "lungs").values == (lungs,)
    assert contrast_phase(looked).values == (phase,)


def test_turned_over_a_real_patient_contradicts_the_header(test_data: Path) -> None:
    looked = sample_of(volume(test_data / "gi/totalseg_ct_3mm/example_ct_sm.nii.gz"))
    turned = np.ascontiguousarray(looked.values[:, ::-1])
    assert orientation(dataclasses.replace(looked, values=turned)).values == ("disagrees",)


def test_bones_beside_those_of_a_network(test_data: Path) -> None:
    folder = test_data / "gi/totalseg_ct_3mm"
    found = ClassicalCT().compute(volume(folder / "example_ct_sm.nii.gz")).mask("bones")
    theirs = np.isin(read_nifti(folder / "example_seg.nii.gz")[0], BONES)
    dice = 2 * (found & theirs).sum() / (found.sum() + theirs.sum())
    assert dice == pytest.approx(0.79, abs=0.02)


def test_contrast_is_told_where_bones_cannot_be_trusted(test_data: Path) -> None:
    image = volume(test_data / "cardio/totalseg_cta_heart_pa/ct_cropped.nii.gz")
    quality = ClassicalCT().compute(image).quality
    assert quality["contrast_cm3"] == pytest.approx(613, rel=0.05)
    assert quality["right_lung_cm3"] == pytest.approx(835, rel=0.02)
