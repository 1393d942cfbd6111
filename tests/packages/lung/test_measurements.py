"""Definitions at their boundaries (specialties page, section 1)."""

import numpy as np
import pytest

from ennead.errors import EmptyMask
from ennead.geometry import Grid

pytestmark = pytest.mark.package("lung")
AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def test_checkerboard_is_exactly_thirty() -> None:
    from ennead_lung.laa import laa950

    pattern = np.where(np.arange(1000) % 10 < 3, -960.0, -850.0).astype(np.float32)
    hu = pattern.reshape(10, 10, 10)
    assert laa950(hu, np.ones(hu.shape, bool)) == 30.0


@pytest.mark.parametrize(
    ("hu", "expected"), [(-950.0, 100.0), (-949.99, 0.0), (-950.01, 100.0), (-949.0, 0.0)]
)
def test_exactly_the_threshold_counts(hu: float, expected: float) -> None:
    from ennead_lung.laa import laa950

    assert laa950(np.full((2, 2, 2), hu, np.float32), np.ones((2, 2, 2), bool)) == expected


def test_910_has_its_own_threshold_and_vessels_count_below_the_line() -> None:
    from ennead_lung.laa import laa910, laa950

    hu = np.array([[[-950, -910, -909, 40]]], np.float32)
    lung = np.ones(hu.shape, bool)
    assert laa910(hu, lung) == 50.0
    assert laa950(hu, lung) == 25.0


def test_outside_the_mask_nothing_counts() -> None:
    from ennead_lung.laa import laa950
    from ennead_lung.perc15 import perc15

    hu = np.array([[[-1000, -1000, -800, -900]]], np.float32)
    lung = np.array([[[False, False, True, True]]])
    assert laa950(hu, lung) == 0.0
    assert perc15(hu, lung) == pytest.approx(-885.0)


def test_ramp_perc15_is_minus_970() -> None:
    from ennead_lung.perc15 import density_g_l, perc15

    ramp = np.linspace(-1000, -800, 20_001).astype(np.float32).reshape(1, 1, -1)
    value = perc15(ramp, np.ones(ramp.shape, bool))
    assert value == pytest.approx(-970.0, abs=1.0)
    assert density_g_l(value) == pytest.approx(30.0, abs=1.0)


def test_volume_is_the_voxel_sum() -> None:
    from ennead_lung.volume import left_right_ratio, volume_cm3

    grid = Grid((4, 5, 6), (0.0, 0.0, 0.0), AXES, (3.0, 0.7, 0.7))
    mask = np.zeros(grid.shape, bool)
    mask[1:3, 1:4, 2:4] = True
    assert volume_cm3(mask, grid) == pytest.approx(12 * 3.0 * 0.49 / 1000, rel=1e-12)
    assert left_right_ratio(900.0, 1000.0) == 0.9


def test_nothing_is_measured_on_nothing() -> None:
    from ennead_lung.laa import laa950
    from ennead_lung.perc15 import perc15
    from ennead_lung.volume import left_right_ratio, volume_cm3

    hu, none = np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 2), bool)
    grid = Grid((2, 2, 2), (0.0, 0.0, 0.0), AXES, (1.0, 1.0, 1.0))
    for call in (
        lambda: laa950(hu, none),
        lambda: perc15(hu, none),
        lambda: volume_cm3(none, grid),
        lambda: left_right_ratio(1.0, 0.0),
    ):
        with pytest.raises(EmptyMask):
            call()
