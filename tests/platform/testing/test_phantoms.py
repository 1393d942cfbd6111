"""The phantom's formulas against its voxels, and its shapes against known volumes."""

import numpy as np
import pytest

from ennead.geometry import Grid
from ennead.testing.noise import ct_noise
from ennead.testing.phantoms import (
    LABELS,
    LEFT_LUNG,
    RIGHT_LUNG,
    chest_phantom,
    named_phantom,
    phantom_grid,
)
from ennead.testing.shapes import Box, Ellipsoid, EllipticTube, Tube, paint

AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
KINDS = ["isotropic", "anisotropic", "oblique", "flipped", "coronal"]


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_agree_with_the_formulas(kind) -> None:
    phantom = chest_phantom(kind)
    truth, voxel = phantom.truth, phantom.grid.voxel_volume_mm3 / 1000
    for side in ("right", "left"):
        counted = np.count_nonzero(phantom.labels == LABELS[f"{side}_lung"]) * voxel
        assert counted == pytest.approx(truth[f"volume_{side}_cm3"], rel=0.001)
    lung = phantom.values[(phantom.labels == 1) | (phantom.labels == 2)]
    for threshold, key in ((-950, "laa950_percent"), (-910, "laa910_percent")):
        assert 100 * (lung <= threshold).mean() == pytest.approx(truth[key], abs=0.03)
    assert np.percentile(lung, 15) == pytest.approx(truth["perc15_hu"], abs=0.5)


def test_truth_is_hand_calculated() -> None:
    truth = chest_phantom("flipped", spacing_mm=4).truth
    assert truth["volume_right_cm3"] == pytest.approx(4 / 3 * np.pi * 5.6 * 7.6 * 11.5)
    assert truth["volume_left_cm3"] == pytest.approx(4 / 3 * np.pi * 5.0 * 7.4 * 11.2)
    sizes = sorted(n["diameter_mm"] for n in truth["nodules"] if n["side"] == "left")
    assert sizes == [6, 8, 12, 20]
    ball = next(n for n in truth["nodules"] if n["diameter_mm"] == 8)
    assert ball["volume_mm3"] == pytest.approx(268.08, abs=0.01)
    # 8 % of the parenchyma; vessels and nodules are the rest of the lung.
    assert 0.95 < truth["laa950_percent"] / 8 < 1.0


def test_noise_moves_voxels_as_predicted() -> None:
    phantom = chest_phantom("isotropic", noise_hu=25, emphysema=0.1)
    lung = phantom.values[(phantom.labels == 1) | (phantom.labels == 2)]
    assert 100 * (lung <= -950).mean() == pytest.approx(phantom.truth["laa950_percent"], abs=0.08)
    assert np.percentile(lung, 15) == pytest.approx(phantom.truth["perc15_hu"], abs=1)


def test_flipped_grid_is_the_same_patient() -> None:
    for kind in KINDS:
        phantom = chest_phantom(kind, spacing_mm=2.5)  # type: ignore[arg-type]
        for side, lung in (("right", RIGHT_LUNG), ("left", LEFT_LUNG)):
            index = np.argwhere(phantom.labels == LABELS[f"{side}_lung"]).mean(axis=0)
            assert phantom.grid.to_patient(index) == pytest.approx(lung.centre_mm, abs=0.5)


def test_grids_differ_as_named() -> None:
    assert phantom_grid("anisotropic").spacing_mm == (3.0, 0.7, 0.7)
    assert phantom_grid("flipped").axes[2] == (-1.0, 0.0, 0.0)
    assert phantom_grid("flipped").axes[0] == (0.0, 0.0, -1.0)
    assert np.abs(np.array(phantom_grid("oblique").axes)).max() < 0.99
    assert phantom_grid("coronal").axes[0] == (0.0, 1.0, 0.0)


def test_values_are_whole_and_reproducible() -> None:
    one = chest_phantom("flipped", spacing_mm=3, noise_hu=10, seed=4)
    two = chest_phantom("flipped", spacing_mm=3, noise_hu=10, seed=4)
    assert np.array_equal(one.values, two.values)
    assert np.array_equal(one.values, np.rint(one.values))
    assert one.values.min() >= -1024


def test_named_phantoms() -> None:
    assert "ContrastBolusAgent" in named_phantom("chest_flipped_enhanced").attributes
    for name in ("head", "chest_round", "chest_flipped_x"):
        with pytest.raises(KeyError):
            named_phantom(name)
    with pytest.raises(ValueError, match="emphysema"):
        chest_phantom(emphysema=0.7)


def count(solid) -> float:
    grid = Grid((120, 130, 140), (-35.0, -32.5, -30.0), AXES, (0.5, 0.5, 0.5))
    image = np.zeros(grid.shape, bool)
    paint(grid, solid, (image, True))
    return np.count_nonzero(image) * grid.voxel_volume_mm3


def test_shapes_have_their_volumes() -> None:
    ellipsoid = Ellipsoid((0, 0, 0), (20, 15, 10))
    assert ellipsoid.volume_mm3 == pytest.approx(4 / 3 * np.pi * 3000)
    assert count(ellipsoid) == pytest.approx(ellipsoid.volume_mm3, rel=0.005)
    tube = Tube((-10, -8, -5), (12, 9, 11), 6)
    assert count(tube) == pytest.approx(tube.volume_mm3, rel=0.005)
    box = Box((-9.75, -4.75, -1.75), (9.75, 4.75, 1.75))
    assert count(box) == pytest.approx(19.5 * 9.5 * 3.5, rel=0.001)
    ring = EllipticTube((0, 0), (20, 16), (-10, 10), (10, 8))
    assert count(ring) == pytest.approx(np.pi * (320 - 80) * 20, rel=0.04)


def test_chord_integral_against_a_known_intersection() -> None:
    # A cylinder through the centre of a ball: V = 4/3 π (R³ − (R² − r²)^1.5).
    ball, tube = Ellipsoid((0, 0, 0), (20, 20, 20)), Tube((0, 0, -50), (0, 0, 50), 8)
    expected = 4 / 3 * np.pi * (20**3 - (20**2 - 8**2) ** 1.5)
    assert tube.volume_inside_mm3(ball) == pytest.approx(expected, rel=1e-6)
    inside = Tube((-5, 0, 1), (6, 1, 0), 2)
    assert inside.volume_inside_mm3(ball) == pytest.approx(inside.volume_mm3, rel=1e-9)
    assert Tube((30, 30, 30), (40, 40, 40), 2).volume_inside_mm3(ball) == 0.0


@pytest.mark.parametrize("correlation_mm", [0.0, 1.0])
def test_noise_has_its_deviation(correlation_mm: float) -> None:
    grid = Grid((20, 80, 80), (0.0, 0.0, 0.0), AXES, (1.0, 0.7, 0.7))
    noise = ct_noise(grid, 12.0, seed=1, correlation_mm=correlation_mm)
    assert noise.std() == pytest.approx(12.0, rel=0.02)
    assert noise.mean() == pytest.approx(0.0, abs=0.2)
    neighbours = np.corrcoef(noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel())[0, 1]
    assert (neighbours > 0.5) == (correlation_mm > 0)
