"""The lungs of the classical anatomy: sides, bridges, padding, gas."""

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.testing.shapes import Box, Ellipsoid, EllipticTube, paint
from ennead_pipelines.anatomy.classical_ct import ClassicalCT

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
    volume = Volume(hu, grid, StudyUID("2.25.1"), SeriesUID("2.25.2"), "CT", (), {})
    found = ClassicalCT().compute(volume)
    right, left = (found.mask(f"{side}_lung") for side in ("right", "left"))
    return right.sum() * grid.voxel_volume_mm3, left.sum() * grid.voxel_volume_mm3, found


def test_ellipsoids_have_their_analytic_volume() -> None:
    hu, grid, right, left = two_ellipsoids()
    r, s, lungs = volumes(hu, grid)
    assert r == pytest.approx(right.volume_mm3, rel=0.01)
    assert s == pytest.approx(left.volume_mm3, rel=0.01)
    assert "bone_column" not in lungs.landmarks_mm


def test_bridge_of_two_voxels_is_cut() -> None:
    hu, grid, right, left = two_ellipsoids(gap_mm=16)
    paint(grid, Box((-12, -2, -2), (12, 2, 2)), (hu, -850))
    assert hu[hu.shape[0] // 2, hu.shape[1] // 2, hu.shape[2] // 2] == -850
    r, s, lungs = volumes(hu, grid)
    assert r == pytest.approx(right.volume_mm3, rel=0.01)
    assert s == pytest.approx(left.volume_mm3, rel=0.01)
    assert (
        lungs.mask("lungs").sum() == lungs.mask("right_lung").sum() + lungs.mask("left_lung").sum()
    )


@pytest.mark.parametrize("width", [2, 4, 8])
def test_watershed_cuts_the_narrowest_place(width: int) -> None:
    from ennead_pipelines.anatomy._sides import LEFT, RIGHT, split_sides

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
    from ennead_pipelines.anatomy._sides import RIGHT, split_sides

    grid = Grid((40, 40, 60), (0.0, 0.0, 0.0), AXES, (2.0, 2.0, 2.0))
    mask = np.zeros(grid.shape, bool)
    paint(grid, Ellipsoid((50, 40, 40), (34, 30, 34)), (mask, True))
    sides = split_sides(mask, grid.spacing_mm, 38.0)
    assert (sides[mask] == RIGHT).all()


def test_empty_image_has_no_lungs() -> None:
    for hu in (-1000.0, 40.0):
        grid = Grid((30, 40, 40), (0.0, 0.0, 0.0), AXES, (3.0, 3.0, 3.0))
        _, _, lungs = volumes(np.full(grid.shape, hu, np.float32), grid)
        assert not lungs.mask("lungs").any()


def test_gas_and_foam_are_not_lung() -> None:
    hu, grid, _right, _left = two_ellipsoids()
    clean = volumes(hu, grid)[2]
    assert clean.mask("right_lung").any()
    for value in (-1000, -985):
        gassy = hu.copy()
        gassy[clean.mask("lungs")] = value
        assert not volumes(gassy, grid)[2].mask("lungs").any()
    foam = np.where(clean.mask("lungs"), np.float32(40), hu)
    paint(grid, Box((-160, 112, -200), (160, 119, 200)), (foam, -880))
    assert not volumes(foam, grid)[2].mask("lungs").any()


def test_padding_outside_the_circle_changes_nothing() -> None:
    hu, grid, right, left = two_ellipsoids()
    y, x = np.mgrid[: hu.shape[1], : hu.shape[2]]
    outside = np.hypot(y - (hu.shape[1] - 1) / 2, x - (hu.shape[2] - 1) / 2) > 84
    hu[:, outside] = -3024
    r, s, _ = volumes(hu, grid)
    assert r == pytest.approx(right.volume_mm3, rel=0.01)
    assert s == pytest.approx(left.volume_mm3, rel=0.01)
