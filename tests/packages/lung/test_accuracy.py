"""Phantoms on five grids against their analytic truth (Done when 3 of the issue)."""

from pathlib import Path

import numpy as np
import pytest

from ennead.testing.dicomize import write_series
from ennead.testing.phantoms import LABELS, chest_phantom, named_phantom

pytestmark = pytest.mark.package("lung")
GRIDS = ["isotropic", "anisotropic", "oblique", "flipped", "coronal"]


def check(answer, truth, *, laa_points=0.1, perc15_hu=1.0) -> None:
    value = {k: m.value for k, m in answer.measurements.items()}
    assert value["volume_right"] == pytest.approx(truth["volume_right_cm3"], rel=0.01)
    assert value["volume_left"] == pytest.approx(truth["volume_left_cm3"], rel=0.01)
    assert value["volume_total"] == pytest.approx(truth["volume_total_cm3"], rel=0.01)
    assert value["lr_ratio"] == pytest.approx(truth["lr_ratio"], rel=0.02)
    assert value["laa950"] == pytest.approx(truth["laa950_percent"], abs=laa_points)
    assert value["laa910"] == pytest.approx(truth["laa910_percent"], abs=laa_points)
    assert value["perc15"] == pytest.approx(truth["perc15_hu"], abs=perc15_hu)
    assert value["perc15_density"] == value["perc15"] + 1000
    assert answer.refusals == []


@pytest.mark.parametrize("kind", GRIDS)
def test_phantom_on_every_grid(kind, measure) -> None:
    phantom = chest_phantom(kind)
    answer = measure(phantom.values, phantom.grid, phantom.attributes)
    check(answer, phantom.truth)
    for side in ("right", "left"):
        mask = answer.segments[f"{side}_lung_mask"].mask
        truth = phantom.labels == LABELS[f"{side}_lung"]
        dice = 2 * np.count_nonzero(mask & truth) / (mask.sum() + truth.sum())
        assert dice > 0.998
    litre = phantom.grid.voxel_volume_mm3 / 1e6
    both = answer.segments["right_lung_mask"].mask | answer.segments["left_lung_mask"].mask
    for organ in ("airway", "oesophagus", "bowel", "table"):
        assert np.count_nonzero(both & (phantom.labels == LABELS[organ])) * litre < 0.0005, organ


@pytest.mark.parametrize("kind", ["isotropic", "oblique"])
def test_noise_is_part_of_the_truth(kind, measure) -> None:
    phantom = chest_phantom(kind, noise_hu=20, seed=3)
    quiet = chest_phantom(kind, seed=3)
    answer = measure(phantom.values, phantom.grid, phantom.attributes)
    assert phantom.truth["laa950_percent"] > quiet.truth["laa950_percent"] + 1
    check(answer, phantom.truth)


@pytest.mark.parametrize("emphysema", [0.0, 0.4])
def test_no_and_severe_emphysema(emphysema, measure) -> None:
    phantom = chest_phantom("flipped", emphysema=emphysema, noise_hu=15)
    answer = measure(phantom.values, phantom.grid, phantom.attributes)
    check(answer, phantom.truth)


def test_seed_moves_the_pattern_not_the_answer(measure) -> None:
    first, second = chest_phantom("anisotropic"), chest_phantom("anisotropic", seed=9)
    assert not np.array_equal(first.values, second.values)
    check(measure(second.values, second.grid, second.attributes), first.truth)


def test_same_image_same_results(measure) -> None:
    phantom = chest_phantom("flipped")
    one = measure(phantom.values, phantom.grid, phantom.attributes)
    two = measure(phantom.values, phantom.grid, phantom.attributes)
    assert one.findings == two.findings
    for key, segment in one.segments.items():
        assert np.array_equal(segment.mask, two.segments[key].mask)


def test_through_dicom_and_back(tmp_path: Path, measure, read_folder) -> None:
    phantom = chest_phantom("oblique")
    write_series(phantom.values, phantom.grid, tmp_path, **phantom.attributes)
    volume = read_folder(tmp_path)
    check(measure(volume), phantom.truth)


def test_right_is_the_patients_right_on_every_grid(measure) -> None:
    for kind in ("anisotropic", "flipped", "oblique", "coronal"):
        phantom = chest_phantom(kind)  # type: ignore[arg-type]
        answer = measure(phantom.values, phantom.grid, phantom.attributes)
        centre = {
            side: phantom.grid.to_patient(
                np.argwhere(answer.segments[f"{side}_lung_mask"].mask).mean(axis=0)
            )
            for side in ("right", "left")
        }
        assert centre["right"] == pytest.approx([-74, 2, 0], abs=1.0)
        assert centre["left"] == pytest.approx([72, 2, 3], abs=1.0)


def test_reference_case_of_the_manifest(measure) -> None:
    from ennead_lung.technique import manifest

    [case] = manifest().test
    phantom = named_phantom(case.input.removeprefix("phantom:"))
    answer = measure(phantom.values, phantom.grid, phantom.attributes)
    for output, expected in case.expect.items():
        assert answer.measurements[output].value == pytest.approx(
            expected.value, abs=expected.tolerance
        )


def test_every_output_is_given_or_refused_and_coded(measure) -> None:
    from ennead_lung.technique import manifest

    phantom = chest_phantom("anisotropic")
    answer = measure(phantom.values, phantom.grid, phantom.attributes)
    given = set(answer.measurements) | set(answer.findings) | set(answer.segments)
    of_functions = {name for rule in manifest().function for name in rule.outputs}
    assert given == {o.id for o in manifest().output} - of_functions
    for measurement in answer.measurements.values():
        rule = manifest().output_rule(measurement.id)
        assert rule is not None
        assert measurement.concept == rule.code.code
        assert measurement.unit.value == rule.unit
        assert measurement.formula == rule.method
    volume = answer.measurements["volume_left"]
    assert (volume.concept.value, volume.concept.scheme) == ("118565006", "SCT")
    assert volume.method is not None
    assert (volume.method.value, volume.method.scheme) == ("126030", "DCM")
    assert answer.segments["left_lung_mask"].laterality.value == "7771000"
    assert answer.findings["both_lungs"].segment_ids == ("right_lung_mask", "left_lung_mask")
