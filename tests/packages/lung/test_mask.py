"""The mask's parts: sides, bridges, cropped images, padding, gas."""

import numpy as np
import pytest

from ennead.geometry import Grid
from ennead.testing.shapes import Box, Ellipsoid, EllipticTube, paint

pytestmark = pytest.mark.package("lung")
AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def two_ellipsoids(gap_mm: float = 24.0, spacing_mm: float = 2.0):
    """Two -850 HU ellipsoids in a +40 HU cylinder, no spine, no airway."""
    count = tuple(round(n / spacing_mm) for n in (260, 240, 340))
    origin = tuple(-(n - 1) / 2 * spacing_mm for n in reversed(count))
    grid = Grid(count, origin, AXES, (spacing_mm,) * 3)  # type: ignore[arg-type]
    hu = np.full(count, -1000, np.float32)
    paint(grid, EllipticTube((0, 0), (160, 110), (-400, 400)), (hu, 40))
    right = Ellipsoid((-50 - gap_mm / 2, 0, 0), (50, 70, 100))
    left = Ellipsoid((40 + gap_mm / 2, 0, 0), (40, 60, 90))
    for lung in (right, left):
        paint(grid, lung, (hu, -850))
    return hu, grid, right, left


def volumes(hu, grid):
    from ennead_lung.mask import lung_mask

    lungs = lung_mask(hu, grid)
    return (
        lungs.right.sum() * grid.voxel_volume_mm3,
        lungs.left.sum() * grid.voxel_volume_mm3,
        lungs,
    )


def test_ellipsoids_have_their_analytic_volume() -> None:
    hu, grid, right, left = two_ellipsoids()
    r, s, lungs = volumes(hu, grid)
    assert r == pytest.approx(right.volume_mm3, rel=0.01)
    assert s == pytest.approx(left.volume_mm3, rel=0.01)
    assert lungs.anatomy.middle is None


def test_bridge_of_two_voxels_is_cut() -> None:
    hu, grid, right, left = two_ellipsoids(gap_mm=16)
    paint(grid, Box((-12, -2, -2), (12, 2, 2)), (hu, -850))
    assert hu[hu.shape[0] // 2, hu.shape[1] // 2, hu.shape[2] // 2] == -850
    r, s, lungs = volumes(hu, grid)
    assert r == pytest.approx(right.volume_mm3, rel=0.01)
    assert s == pytest.approx(left.volume_mm3, rel=0.01)
    assert not (lungs.right & lungs.left).any()


@pytest.mark.parametrize("width", [2, 4, 8])
def test_watershed_cuts_the_narrowest_place(width: int) -> None:
    from ennead_lung._sides import LEFT, RIGHT, split_sides

    grid = Grid((40, 40, 90), (0.0, 0.0, 0.0), AXES, (1.0, 1.0, 1.0))
    mask = np.zeros(grid.shape, bool)
    labels = np.zeros(grid.shape, np.uint8)
    for centre, radius, side in ((22, 16, RIGHT), (68, 14, LEFT)):
        ball = Ellipsoid((centre, 20, 20), (radius, radius, radius))
        paint(grid, ball, (mask, True), (labels, side))
    mask[20 - width // 2 : 20 + width // 2, 20 - width // 2 : 20 + width // 2, 30:60] = True
    sides = split_sides(mask, grid.spacing_mm, 60.0)  # midline off the neck on purpose
    assert ((sides > 0) == mask).all()
    known = labels > 0
    assert (sides[known] == labels[known]).mean() > 0.995


def test_lung_that_crosses_the_midline_stays_whole() -> None:
    from ennead_lung._sides import RIGHT, split_sides

    grid = Grid((40, 40, 60), (0.0, 0.0, 0.0), AXES, (2.0, 2.0, 2.0))
    mask = np.zeros(grid.shape, bool)
    paint(grid, Ellipsoid((50, 40, 40), (34, 30, 34)), (mask, True))
    sides = split_sides(mask, grid.spacing_mm, 38.0)
    assert (sides[mask] == RIGHT).all()


def test_empty_image_has_no_lungs() -> None:
    for hu in (-1000.0, 40.0):
        grid = Grid((30, 40, 40), (0.0, 0.0, 0.0), AXES, (3.0, 3.0, 3.0))
        _, _, lungs = volumes(np.full(grid.shape, hu, np.float32), grid)
        assert not lungs.both.any()


def test_gas_and_foam_are_not_lung() -> None:
    hu, grid, _right, _left = two_ellipsoids()
    clean = volumes(hu, grid)[2]
    assert clean.right.any()
    for value in (-1000, -985):
        gassy = hu.copy()
        for lung in (clean.right, clean.left):
            gassy[lung] = value
        assert not volumes(gassy, grid)[2].both.any()
    foam = np.where(clean.both, np.float32(40), hu)
    paint(grid, Box((-160, 112, -200), (160, 119, 200)), (foam, -880))
    assert not volumes(foam, grid)[2].both.any()


def test_padding_outside_the_circle_changes_nothing() -> None:
    hu, grid, right, left = two_ellipsoids()
    y, x = np.mgrid[: hu.shape[1], : hu.shape[2]]
    outside = np.hypot(y - (hu.shape[1] - 1) / 2, x - (hu.shape[2] - 1) / 2) > 84
    hu[:, outside] = -3024
    r, s, _ = volumes(hu, grid)
    assert r == pytest.approx(right.volume_mm3, rel=0.01)
    assert s == pytest.approx(left.volume_mm3, rel=0.01)


def test_block_mean_is_the_mean() -> None:
    from ennead_lung._coarse import coarse_copy, enlarge

    rng = np.random.default_rng(5)
    grid = Grid((7, 10, 11), (1.0, 2.0, 3.0), AXES, (1.0, 0.7, 0.7))
    hu = rng.uniform(-1000, 500, grid.shape).astype(np.float32)
    coarse = coarse_copy(hu, grid)
    assert coarse.factors == (2, 3, 3)
    assert coarse.hu.shape == (4, 4, 4)
    assert coarse.hu[0, 1, 2] == pytest.approx(hu[0:2, 3:6, 6:9].mean(), abs=0.01)
    assert coarse.hu[3, 3, 3] == pytest.approx(hu[6:, 9:, 9:].mean(), abs=0.01)
    assert coarse.grid.to_patient((0, 0, 0)) == pytest.approx(grid.to_patient((0.5, 1, 1)))
    assert enlarge(coarse.hu, coarse.factors, grid.shape).shape == grid.shape


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, 1)])
def test_patient_order_and_back(order, signs) -> None:
    from ennead_lung._coarse import patient_order, source_order

    axes = np.array(AXES)[list(order)] * np.array(signs)[:, None]
    grid = Grid((3, 4, 5), (0.0, 0.0, 0.0), tuple(map(tuple, axes.tolist())), (1.0, 2.0, 3.0))
    values = np.arange(60).reshape(3, 4, 5)
    ordered = patient_order(values, grid)
    index = tuple(n - 1 for n in ordered.shape)
    head_back_left = np.argwhere(values == ordered[index])[0]
    assert grid.to_patient(head_back_left) == pytest.approx(
        np.max([grid.to_patient(i) for i in np.ndindex(values.shape)], axis=0)
    )
    assert np.array_equal(source_order(ordered, grid), values)
