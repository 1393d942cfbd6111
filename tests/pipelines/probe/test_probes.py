"""Each probe on phantoms whose answer is known, on broken ones, and on what it cannot know."""

import dataclasses
from typing import Any

import numpy as np
import pydicom
import pytest

from ennead.contracts import Volume
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.testing.phantoms import chest_phantom
from ennead.testing.shapes import EllipticTube, Tube, paint
from ennead_pipelines.probe.body_part import body_part
from ennead_pipelines.probe.completeness import completeness
from ennead_pipelines.probe.contrast_phase import contrast_phase
from ennead_pipelines.probe.intensity import intensity
from ennead_pipelines.probe.orientation import orientation
from ennead_pipelines.probe.sample import SLICES, Sample, chosen_slices, sample_of

AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def sample(values: np.ndarray, grid: Grid, modality: str = "CT", **attributes: Any) -> Sample:
    header = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return sample_of(
        Volume(
            values.astype(np.float32),
            grid,
            StudyUID("2.25.1"),
            SeriesUID("2.25.2"),
            modality,
            (),
            header.to_json_dict(),
        )
    )


@pytest.fixture(scope="module")
def chest():
    return chest_phantom("flipped", spacing_mm=2.0, noise_hu=15)


@pytest.fixture(scope="module")
def looked(chest) -> Sample:
    return sample(chest.values, chest.grid, PatientPosition="HFS")


def moved(looked: Sample, **changes: Any) -> Sample:
    return dataclasses.replace(looked, **changes)


def test_a_handful_with_both_ends() -> None:
    assert chosen_slices(3) == [0, 1, 2]
    many = chosen_slices(300)
    assert (many[0], many[-1], len(many)) == (0, 299, SLICES)
    assert max(np.diff(many)) - min(np.diff(many)) <= 1


def test_the_sample_is_in_patient_order(chest, looked) -> None:
    assert looked.axial
    z = chest.grid.shape[0] * chest.grid.spacing_mm[0]
    assert looked.height_mm == pytest.approx(z)
    # The bowel of the phantom lies at its lower end, whatever way the slices run.
    assert looked.slices[-1].lung_cm2 < looked.slices[6].lung_cm2
    coronal = chest_phantom("coronal", spacing_mm=4.0)
    assert not sample(coronal.values, coronal.grid).axial


def test_intensity_of_ct(looked, chest) -> None:
    answer = intensity(looked)
    assert answer.values == ("plausible",)
    assert -140 <= float(answer.numbers["tissue_hu"]) <= 140
    raw = sample(chest.values + 1024, chest.grid)  # rescale forgotten
    assert intensity(raw).values == ("implausible",)
    doubled = sample((chest.values + 1000) * 2 - 1000, chest.grid)
    assert intensity(doubled).values == ("implausible",)
    flat = sample(np.zeros(chest.grid.shape), chest.grid)
    assert intensity(flat).values == ("implausible",)


@pytest.mark.parametrize(
    ("modality", "values", "attributes", "answer"),
    [
        ("MR", lambda r: r.gamma(2.0, 100.0, (6, 40, 40)) * (r.random((6, 40, 40)) > 0.5), {}, 1),
        ("MR", lambda r: np.full((6, 40, 40), 7.0) + (r.random((6, 40, 40)) > 0.5), {}, 0),
        ("MR", lambda r: -r.gamma(2.0, 100.0, (6, 40, 40)), {}, 0),
        ("PT", lambda r: r.gamma(1.0, 2000.0, (6, 40, 40)), {"Units": "BQML"}, 1),
        ("PT", lambda r: r.gamma(1.0, 2.0, (6, 40, 40)), {"Units": "GML"}, 1),
        ("PT", lambda r: r.gamma(1.0, 9000.0, (6, 40, 40)), {"Units": "GML"}, 0),
        ("PT", lambda r: r.gamma(1.0, 2.0, (6, 40, 40)), {"Units": "PROPCPS"}, None),
        ("US", lambda r: r.random((6, 40, 40)), {}, None),
    ],
)
def test_intensity_of_other_modalities(modality, values, attributes, answer) -> None:
    grid = Grid((6, 40, 40), (0.0, 0.0, 0.0), AXES, (3.0, 2.0, 2.0))
    looked = sample(values(np.random.default_rng(1)), grid, modality, **attributes)
    expected = {1: "plausible", 0: "implausible", None: "unknown"}[answer]
    assert intensity(looked).values == (expected,)


def test_a_chest_is_a_chest(looked) -> None:
    answer = body_part(looked)
    assert "chest" in answer.values  # below the lungs the phantom has ribs and a spine: an abdomen
    assert not set(answer.values) & {"head", "pelvis", "limb"}
    assert float(answer.numbers["chest_slices"]) >= 8
    assert body_part(moved(looked, modality="MR")).values == ("unknown",)
    assert body_part(moved(looked, axial=False)).values == ("unknown",)


def empty(shape: tuple[int, int, int]) -> tuple[np.ndarray, Grid]:
    spacing = (5.0, 2.0, 2.0)
    origin = tuple(-(n - 1) / 2 * mm for n, mm in zip(shape[::-1], spacing[::-1], strict=True))
    grid = Grid(shape, origin, AXES, spacing)  # type: ignore[arg-type]
    return np.full(shape, -1000, np.float32), grid


def noisy(hu: np.ndarray) -> np.ndarray:
    return np.rint(hu + np.random.default_rng(7).normal(0, 10, hu.shape)).astype(np.float32)


TALL = (-400.0, 400.0)


def head() -> tuple[np.ndarray, Grid]:
    hu, grid = empty((30, 120, 120))
    low = (-400.0, 50.0)  # the vertex lies below the upper end
    paint(grid, EllipticTube((0, 0), (78, 95), low), (hu, 20))
    paint(grid, EllipticTube((0, 0), (72, 89), low), (hu, 1000))
    paint(grid, EllipticTube((0, 0), (65, 82), low), (hu, 35))
    return noisy(hu), grid


def abdomen(kidney: int = 30, liver: int = 55, hips: bool = False) -> tuple[np.ndarray, Grid]:
    hu, grid = empty((20, 150, 200))
    paint(grid, EllipticTube((0, 0), (170, 110), TALL), (hu, -100))
    paint(grid, EllipticTube((0, 0), (150, 95), TALL), (hu, 45))
    paint(grid, EllipticTube((-80, -20), (50, 60), TALL), (hu, liver))
    paint(grid, Tube((0, 60, -400), (0, 60, 400), 20.0), (hu, 300))
    for x in (-60.0, 60.0):
        paint(grid, Tube((x, 55, -400), (x, 55, 400), 24.0), (hu, kidney))
    if hips:
        for x in (-100.0, 100.0):
            paint(grid, Tube((x, 30, -400), (x, 30, 400), 20.0), (hu, 500))
    return noisy(hu), grid


def legs() -> tuple[np.ndarray, Grid]:
    hu, grid = empty((20, 100, 180))
    for x in (-85.0, 85.0):
        paint(grid, Tube((x, 0, -400), (x, 0, 400), 70.0), (hu, 40))
        paint(grid, Tube((x, 0, -400), (x, 0, 400), 15.0), (hu, 1200))
        paint(grid, Tube((x, 0, -400), (x, 0, 400), 8.0), (hu, -50))
    return noisy(hu), grid


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (head(), "head"),
        (abdomen(), "abdomen"),
        (abdomen(hips=True), "pelvis"),
        (legs(), "limb"),
    ],
    ids=["head", "abdomen", "pelvis", "limb"],
)
def test_other_parts(made, part) -> None:
    assert body_part(sample(*made)).values == (part,)


def test_a_crop_in_the_middle_of_a_body_is_unknown() -> None:
    hu, grid = abdomen()
    cut = Grid((20, 40, 40), (0.0, 0.0, 0.0), AXES, grid.spacing_mm)
    assert body_part(sample(hu[:, 60:100, 60:100], cut)).values == ("unknown",)


def test_lungs_whole_and_cut(chest, looked) -> None:
    assert completeness(looked, "lungs").values == ("whole",)
    top = chest.grid.shape[0] // 2  # slices run to the feet
    cropped = Grid((top, *chest.grid.shape[1:]), (0.0, 0.0, 0.0), chest.grid.axes, (4.0, 2.0, 2.0))
    answer = completeness(sample(chest.values[:top], cropped), "lungs")
    assert answer.values == ("cut",)
    assert float(answer.numbers["lung_bottom_cm2"]) > 100
    assert completeness(sample(*abdomen()), "lungs").values == ("unknown",)


def test_a_head_without_its_vertex_is_cut() -> None:
    hu, grid = head()
    assert completeness(sample(hu, grid), "head").values == ("whole",)
    lower = Grid((20, *grid.shape[1:]), grid.origin_mm, grid.axes, grid.spacing_mm)
    assert completeness(sample(hu[:20], lower), "head").values == ("cut",)


def test_blank_and_repeated_slices(chest) -> None:
    blank = chest.values.copy()
    blank[-1] = -1024
    assert completeness(sample(blank, chest.grid)).values == ("blank_slices",)
    twice = chest.values.copy()
    first, second = chosen_slices(chest.grid.shape[0])[:2]
    twice[second] = twice[first]
    assert completeness(sample(twice, chest.grid)).values == ("repeated_slices",)
    assert completeness(sample(chest.values, chest.grid)).values == ("whole",)


def test_orientation_against_the_header(chest, looked) -> None:
    answer = orientation(looked)
    assert answer.values == ("agrees",)
    assert float(answer.numbers["spine_behind_mm"]) > 40
    assert float(answer.numbers["table_behind_mm"]) > 100
    front_to_back = moved(looked, values=np.ascontiguousarray(looked.values[:, ::-1]))
    assert orientation(front_to_back).values == ("disagrees",)
    said_prone = sample(chest.values, chest.grid, PatientPosition="HFP")
    assert orientation(said_prone).values == ("disagrees",)
    assert orientation(moved(looked, modality="MR")).values == ("unknown",)
    assert orientation(sample(*head())).values == ("unknown",)


@pytest.mark.parametrize(
    ("blood", "phase"), [(45, "none"), (82, "unknown"), (150, "unknown"), (350, "arterial")]
)
def test_phase_of_a_chest_by_its_blood(blood, phase) -> None:
    phantom = chest_phantom("flipped", spacing_mm=2.0, blood_hu=blood)
    answer = contrast_phase(sample(phantom.values, phantom.grid))
    assert answer.values == (phase,)
    assert float(answer.numbers["blood_hu"]) == pytest.approx(blood, abs=12)


@pytest.mark.parametrize(
    ("kidney", "liver", "phase"),
    [(30, 55, "none"), (180, 110, "portal"), (180, 60, "unknown"), (30, 110, "unknown")],
)
def test_phase_of_an_abdomen_by_kidneys_and_liver(kidney, liver, phase) -> None:
    answer = contrast_phase(sample(*abdomen(kidney, liver)))
    assert answer.values == (phase,)
    assert float(answer.numbers["kidney_hu"]) == pytest.approx(
        kidney, abs=20
    )  # muscle beside a plain kidney is brighter
    assert float(answer.numbers["liver_hu"]) == pytest.approx(liver, abs=15)


def test_what_shows_no_organ_has_no_phase() -> None:
    for made in (head(), legs()):
        assert contrast_phase(sample(*made)).values == ("unknown",)
