"""What a reader draws, as voxels: truths by formula, on straight, flipped and oblique grids."""

from typing import Any

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.errors import ContractError
from ennead.geometry import Grid
from ennead.interaction import (
    ROI,
    Contour,
    FunctionContext,
    Line,
    Point,
    inside_polygon,
)
from ennead.testing.results import GRIDS, small_grid


def volume(grid: Grid) -> Volume:
    uids = tuple(f"1.2.{k}" for k in range(grid.shape[0]))
    values = np.zeros(grid.shape, dtype=np.float32)
    return Volume(values, grid, "1", "1.1", "CT", uids, {})  # type: ignore[arg-type]


def at(grid: Grid, z: float, y: float, x: float) -> tuple[float, float, float]:
    point = grid.to_patient((z, y, x))
    return float(point[0]), float(point[1]), float(point[2])


@pytest.mark.parametrize("name", GRIDS)
def test_a_point_is_its_voxel(name: Any) -> None:
    grid = small_grid(name)
    k = min(3, grid.shape[0] - 1)
    assert Point("1.2.0", at(grid, k, 7.4, 11.6)).index(volume(grid)) == (k, 7, 12)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["axial", "oblique", "flipped", "anisotropic"])
def test_an_ellipse_has_its_area_and_lies_on_its_image(name: Any) -> None:
    grid = small_grid(name, (5, 200, 210))
    mm_y, mm_x = grid.spacing_mm[1:]
    a, b = 60.0, 35.0  # rows, columns
    ends = ((100 - a, 105), (100 + a, 105), (100, 105 - b), (100, 105 + b))
    roi = ROI("1.2.3", "ellipse", tuple(at(grid, 3, y, x) for y, x in ends))  # type: ignore[arg-type]
    mask = roi.mask(volume(grid))
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [3]
    area = np.pi * a * mm_y * b * mm_x
    assert roi.area_mm2 == pytest.approx(area, rel=1e-6)
    assert mask.sum() * mm_y * mm_x == pytest.approx(area, rel=0.01)


def test_a_turned_rectangle_has_its_area() -> None:
    grid = small_grid("axial", (3, 120, 120))
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    corners = np.array([(-30, -20), (-30, 20), (30, 20), (30, -20)]) @ turn.T + 60
    roi = ROI("1.2.1", "rectangle", tuple(at(grid, 1, y, x) for y, x in corners))  # type: ignore[arg-type]
    pixel = grid.spacing_mm[1] * grid.spacing_mm[2]
    assert roi.area_mm2 == pytest.approx(60 * 40 * pixel, rel=1e-6)
    assert roi.mask(volume(grid)).sum() == pytest.approx(60 * 40, rel=0.01)


def test_a_contour_that_bends_inwards_keeps_its_notch_out() -> None:
    grid = small_grid("axial", (3, 40, 40))
    shape = [(5, 5), (5, 30), (30, 30), (30, 5), (18, 5), (18, 20), (12, 20), (12, 5)]
    contour = Contour("1.2.2", tuple(at(grid, 2, y + 0.5, x + 0.5) for y, x in shape))  # type: ignore[arg-type]
    k, inside = contour.plane(volume(grid))
    expected = np.zeros((40, 40), dtype=bool)
    expected[6:31, 6:31] = True
    expected[13:19, 6:21] = False
    assert k == 2
    assert np.array_equal(inside, expected)


def test_neighbouring_polygons_share_no_voxel() -> None:
    left = inside_polygon([(2, 2), (2, 6), (9, 6), (9, 2)], (12, 12))
    right = inside_polygon([(2, 6), (2, 10), (9, 10), (9, 6)], (12, 12))
    assert left.sum() == right.sum() == 7 * 4
    assert not (left & right).any()


def test_a_polygon_may_leave_the_image() -> None:
    assert inside_polygon([(-9, -9), (-9, 50), (50, 50), (50, -9)], (7, 5)).all()
    assert not inside_polygon([(20, 20), (20, 30), (30, 30)], (7, 5)).any()


def test_a_line_knows_its_length() -> None:
    assert Line("1", (1.0, 2.0, 3.0), (4.0, 6.0, 3.0)).length_mm == 5.0  # type: ignore[arg-type]


def test_a_context_says_when_manifest_and_function_disagree() -> None:
    point = Point("1.2.0", (0.0, 0.0, 0.0))  # type: ignore[arg-type]
    context = FunctionContext(volume(small_grid("axial")), {"seed": point, "size": 3.0})
    assert context.given("seed", Point) is point
    assert context.optional("other", Line) is None
    assert context.points("several") == ()
    with pytest.raises(ContractError, match="not given"):
        context.given("other", Line)
    with pytest.raises(ContractError, match="is a float"):
        context.given("size", Point)
    with pytest.raises(ContractError, match="not points"):
        context.points("seed")
