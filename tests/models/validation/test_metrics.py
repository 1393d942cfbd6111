"""Metrics against truths that can be worked out on paper."""

import numpy as np
import pytest
from scipy import integrate, stats

from ennead_models.validation.agreement import bland_altman
from ennead_models.validation.calibration import calibration
from ennead_models.validation.intervals import bootstrap, mean, median, proportion
from ennead_models.validation.overlap import dice, surface_distances, volume_ml
from ennead_models.validation.roc import at_threshold, auroc, roc_curve

SPACING = (2.0, 1.0, 0.5)


def ball(
    radius_mm: float,
    shift_mm: float = 0.0,
    axis: int = 2,
    spacing: tuple[float, float, float] = SPACING,
) -> np.ndarray:
    """A ball about the middle of a 60 mm cube, moved along an axis."""
    shape = tuple(round(60 / s) for s in spacing)
    grids = np.meshgrid(
        *(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"
    )
    squared = sum((g - 30.0 - (shift_mm if k == axis else 0.0)) ** 2 for k, g in enumerate(grids))
    return np.asarray(squared <= radius_mm**2)


def test_dice_of_shifted_balls() -> None:
    """Two balls of radius r, centres d apart: overlap π (4r + d)(2r − d)² / 12."""
    r, d = 18.0, 8.0
    overlap = np.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    expected = overlap / (4 / 3 * np.pi * r**3)
    assert dice(ball(r), ball(r, d)) == pytest.approx(expected, abs=0.005)
    assert dice(ball(r), ball(r)) == 1.0
    empty = np.zeros((4, 4, 4), bool)
    assert dice(empty, empty) is None
    assert dice(ball(r), np.zeros_like(ball(r))) == 0.0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_surface_distances_of_shifted_balls(axis: int) -> None:
    """A point of ball A at angle θ to the shift lies |√(r² + d² − 2rd cos θ) − r| off ball B."""
    r, d = 16.0, 6.0
    cosines = np.linspace(-1, 1, 200_001)  # uniform on the sphere
    off = np.abs(np.sqrt(r**2 + d**2 - 2 * r * d * cosines) - r)
    found = surface_distances(ball(r), ball(r, d, axis), SPACING)
    assert found is not None
    # Where voxels are no cubes, their surface is not uniform on the sphere: extremes only.
    assert found.hd95_mm == pytest.approx(np.percentile(off, 95), abs=1.0)
    assert found.maximum_mm == pytest.approx(d, abs=0.6)


def test_mean_surface_distance_of_shifted_balls() -> None:
    r, d, spacing = 16.0, 6.0, (1.0, 1.0, 1.0)
    cosines = np.linspace(-1, 1, 20_001)
    off = np.abs(np.sqrt(r**2 + d**2 - 2 * r * d * cosines) - r)
    found = surface_distances(ball(r, spacing=spacing), ball(r, d, spacing=spacing), spacing)
    assert found is not None
    assert found.mean_mm == pytest.approx(integrate.trapezoid(off, cosines) / 2, abs=0.25)
    assert found.hd95_mm == pytest.approx(np.percentile(off, 95), abs=0.25)


def test_surface_distances_of_shifted_boxes_are_exact() -> None:
    box = np.zeros((20, 20, 20), bool)
    box[5:10, 5:10, 5:10] = True
    for axis, spacing in enumerate(SPACING):
        moved = np.roll(box, 2, axis)
        found = surface_distances(box, moved, SPACING)
        assert found is not None
        assert found.maximum_mm == pytest.approx(2 * spacing)
        assert found.hd95_mm == pytest.approx(2 * spacing)
    assert surface_distances(box, np.zeros_like(box), SPACING) is None
    touching = np.zeros((3, 3, 3), bool)
    touching[:, :, 0] = True  # at the image's edge: what lies beyond is outside
    same = surface_distances(touching, touching, SPACING)
    assert same is not None and same.maximum_mm == 0.0
    assert volume_ml(box, SPACING) == pytest.approx(125 * 1.0 / 1000)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_surface_distances_as_monai_has_them() -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(3)
    first = ball(12) | (rng.random(ball(12).shape) > 0.9995)
    second = ball(13, 3)
    found = surface_distances(first, second, SPACING)
    assert found is not None

    def tensor(mask: np.ndarray) -> object:
        return torch.from_numpy(mask[None, None].astype(np.float32))

    theirs = metrics.compute_hausdorff_distance(
        tensor(first), tensor(second), include_background=True, percentile=95, spacing=SPACING
    )
    assert found.hd95_mm == pytest.approx(float(theirs), abs=1e-4)


def test_wilson() -> None:
    """Newcombe, Stat Med 1998; 17: 857–872, table I: 81 of 263 and 15 of 148."""
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        found = proportion(hits, n)
        assert (found.low, found.high) == (
            pytest.approx(low, abs=1e-4),
            pytest.approx(high, abs=1e-4),
        )
    assert proportion(0, 0).value is None
    assert proportion(0, 20).low == 0.0


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    found = mean(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert mean(values) == found  # the seed is fixed
    assert median([1.0, 9.0, 2.0]).value == 2.0
    assert mean([3.0]).low is None and mean([]).value is None
    assert bootstrap([1.0, 1.0], lambda s: s.max(axis=-1)).high == 1.0


def test_bland_altman() -> None:
    first, second = [10.0, 12.0, 14.0, 20.0], [9.0, 13.0, 12.0, 18.0]
    found = bland_altman(first, second)
    assert found is not None
    sd = np.std([1, -1, 2, 2], ddof=1)
    assert (found.bias, found.sd) == (1.0, pytest.approx(sd))
    assert found.low == pytest.approx(1 - 1.959964 * sd)
    assert found.high == pytest.approx(1 + 1.959964 * sd)
    assert found.points[0] == (9.5, 1.0)
    assert found.high_ci[0] < found.high < found.high_ci[1]
    assert bland_altman([1.0], [2.0]) is None
    with pytest.raises(ValueError, match="one length"):
        bland_altman([1.0, 2.0], [1.0])


def test_auroc_by_hand() -> None:
    """Pairs: 0.9 beats both, 0.4 beats one of two: 3 of 4. Placements (1, ½) and (½, 1)."""
    found = auroc([0.9, 0.4, 0.5, 0.1], [True, True, False, False])
    assert found is not None
    assert found.value == 0.75
    assert found.standard_error == pytest.approx((0.125 / 2 + 0.125 / 2) ** 0.5)
    tied = auroc([1.0, 1.0, 1.0], [True, False, False])
    assert tied is not None and tied.value == 0.5
    assert auroc([1.0, 2.0], [True, True]) is None


def test_auroc_of_two_normal_groups() -> None:
    """Scores N(0,1) and N(1.5,1): the area is Φ(1.5/√2); the intervals cover and agree."""
    rng = np.random.default_rng(7)
    scores = np.r_[rng.normal(1.5, 1, 150), rng.normal(0, 1, 250)]
    truth = np.r_[np.ones(150, bool), np.zeros(250, bool)]
    found = auroc(scores, truth)
    assert found is not None
    area = stats.norm.cdf(1.5 / 2**0.5)
    assert found.value == pytest.approx(area, abs=0.03)
    for low, high in (found.delong, found.bootstrap):
        assert low < area < high
    assert found.delong == pytest.approx(found.bootstrap, abs=0.01)
    mann_whitney = stats.mannwhitneyu(scores[truth], scores[~truth]).statistic / (150 * 250)
    assert found.value == pytest.approx(mann_whitney)
    points = roc_curve(scores, truth)
    under = np.trapezoid([p[1] for p in points], [p[0] for p in points])
    assert under == pytest.approx(found.value)
    assert points[0][:2] == (0.0, 0.0) and points[-1][:2] == (1.0, 1.0)


def test_sensitivity_and_specificity() -> None:
    found = at_threshold([0.9, 0.5, 0.4, 0.5, 0.1, 0.0], [1, 1, 1, 0, 0, 0], 0.5)
    assert (found.true_positive, found.false_negative) == (2, 1)
    assert (found.true_negative, found.false_positive) == (2, 1)
    assert found.sensitivity.value == pytest.approx(2 / 3)
    assert found.specificity.n == 3


def test_calibration() -> None:
    p = [0.05, 0.05, 0.95, 0.95, 1.0]
    t = [False, False, True, True, False]
    found = calibration(p, t)
    assert found is not None
    assert found.brier == pytest.approx((2 * 0.05**2 + 2 * 0.05**2 + 1.0) / 5)
    low, high = found.bins
    assert (low.low, high.high, high.observed.n) == (0.0, 1.0, 3)
    said, was = (0.95 + 0.95 + 1.0) / 3, 2 / 3
    assert found.ece == pytest.approx(2 / 5 * 0.05 + 3 / 5 * (said - was))
    assert calibration([], []) is None
    with pytest.raises(ValueError, match="0 to 1"):
        calibration([1.2], [True])


def test_a_calibrated_forecast_has_a_small_error() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(20_000)
    found = calibration(p, rng.random(20_000) < p)
    assert found is not None
    assert found.ece < 0.02
    assert found.brier == pytest.approx(1 / 6, abs=0.005)  # ∫ p (1 − p) dp
