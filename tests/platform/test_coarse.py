"""The coarse copy, the patient's order, and distances in millimetres."""

import numpy as np
import pytest
from scipy import ndimage

from ennead.coarse import (
    ball_close,
    ball_dilate,
    ball_erode,
    box_close,
    box_dilate,
    box_erode,
    coarse_copy,
    distance_mm,
    enlarge,
    patient_order,
    source_order,
)
from ennead.geometry import Grid

AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def test_block_mean_is_the_mean() -> None:
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


def test_distances_are_euclidean_in_millimetres() -> None:
    rng = np.random.default_rng(3)
    mask = rng.random((9, 14, 11)) > 0.97
    spacing = (3.0, 0.7, 1.1)
    truth = ndimage.distance_transform_edt(~mask, sampling=spacing)
    assert distance_mm(mask, spacing) == pytest.approx(truth, abs=1e-4)
    assert np.isinf(distance_mm(np.zeros((2, 2, 2), bool), spacing)).all()


def test_balls_touch_at_their_radius() -> None:
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    grown = ball_dilate(mask, 2.0, (2.0, 1.0, 1.0))
    assert grown[5, 4, 4] and grown[4, 6, 4] and not grown[5, 5, 4]
    assert np.array_equal(ball_erode(grown, 1.9, (2.0, 1.0, 1.0)), mask)
    assert not ball_erode(grown, 2.24, (2.0, 1.0, 1.0)).any()
    gap = np.ones((5, 5, 9), bool)
    gap[:, :, 4] = False
    assert ball_close(gap, 1.0, (1.0, 1.0, 1.0))[1:-1, 1:-1].all()
    assert ball_close(np.zeros((3, 3, 3), bool), 1.0, (1.0, 1.0, 1.0)).sum() == 0
    assert ball_erode(np.ones((3, 3, 3), bool), 9.0, (1.0, 1.0, 1.0)).all()


def test_boxes_are_cubes_in_millimetres() -> None:
    rng = np.random.default_rng(4)
    mask = rng.random((8, 12, 13)) > 0.98
    spacing = (2.0, 1.0, 0.5)
    cube = np.ones((3, 5, 9), bool)  # 2 mm on each side
    assert np.array_equal(box_dilate(mask, 2.0, spacing), ndimage.binary_dilation(mask, cube))
    big = ndimage.binary_dilation(mask, np.ones((5, 7, 11), bool))
    assert np.array_equal(
        box_erode(big, 2.0, spacing), ndimage.binary_erosion(big, cube, border_value=1)
    )
    closed = box_close(mask, 2.0, spacing)
    assert (closed >= mask).all() and closed.sum() >= mask.sum()
