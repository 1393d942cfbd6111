"""Cubes around a seed and the classical method, on a hot ball whose size is known."""

from __future__ import annotations

import math

import pytest
import torch

from network_training.randomness import generator
from pet_tumour.train.classical import climb, share_of_most
from pet_tumour.train.data import PetCase, split
from pet_tumour.train.network import SIDE
from pet_tumour.train.sampling import back_to_case, cube_at, cut_sides, draw_cube, draw_seed
from pet_tumour.train.seeds import clicks, hottest, near

SPACING = torch.tensor([5.0, 4.0, 3.0])
RADIUS_MM = 24.0


@pytest.fixture(scope="module")
def ball() -> PetCase:
    """SUV 8 to 10 in a ball of 24 mm, hottest in its middle, in tissue of SUV 1."""
    axes = [
        (torch.arange(n) - n // 2) * float(s) for n, s in zip((40, 50, 60), SPACING, strict=True)
    ]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    away = (x**2 + y**2 + z**2).sqrt()
    tumour = away <= RADIUS_MM
    suv = torch.where(tumour, 10 - 2 * away / RADIUS_MM, torch.ones(()))
    return PetCase("BALL_001", suv, tumour, SPACING)


def test_a_cube_holds_the_ball_around_its_middle(ball: PetCase) -> None:
    cube = cube_at(ball, hottest(ball).float())
    assert cube.suv.shape == (SIDE, SIDE, SIDE)
    assert float(cube.suv[32, 32, 32]) == pytest.approx(10.0)
    volume = int(cube.tumour.sum()) * 0.064
    assert volume == pytest.approx(4 / 3 * math.pi * RADIUS_MM**3 / 1000, rel=0.03)


def test_a_cube_comes_back_to_where_it_was_taken(ball: PetCase) -> None:
    seed = torch.tensor([17.0, 28.0, 25.0])
    back = back_to_case(cube_at(ball, seed).tumour.float(), ball, seed) >= 0.5
    both = int((back & ball.tumour).sum())
    assert 2 * both / int(back.sum() + ball.tumour.sum()) > 0.97


def test_a_turned_and_doubled_cube_holds_an_eighth(ball: PetCase) -> None:
    seed = hottest(ball).float()
    plain, far = cube_at(ball, seed), cube_at(ball, seed, 2 * torch.eye(3))
    assert int(far.tumour.sum()) == pytest.approx(int(plain.tumour.sum()) / 8, rel=0.05)


def test_a_training_cube_depends_on_its_number_and_seed_alone(ball: PetCase) -> None:
    first, again = (draw_cube(ball, generator(1, 5)) for _ in range(2))
    assert torch.equal(first.suv, again.suv)
    assert not torch.equal(first.suv, draw_cube(ball, generator(1, 6)).suv)
    assert not torch.equal(first.suv, draw_cube(ball, generator(2, 5)).suv)
    assert float(first.suv.min()) >= 0


def test_seeds_lie_in_the_tumour(ball: PetCase) -> None:
    for index in range(20):
        seed = draw_seed(ball, generator(2, index)).round().long().clamp(min=0)
        nearest = (ball.tumour.nonzero() - seed).abs().sum(dim=1).min()
        assert int(nearest) <= 1
    assert all(ball.tumour[tuple(click.tolist())] for click in clicks(ball, 5))


def test_cut_sides_leave_the_tumour_whole(ball: PetCase) -> None:
    """The ball is at least 30 mm from every side of the image."""
    for index in range(10):
        short = cut_sides(ball, generator(6, index), most_mm=30.0)
        assert torch.equal(short.suv[ball.tumour], ball.suv[ball.tumour])
        assert float(short.suv.sum()) < float(ball.suv.sum())


def test_41_percent_finds_the_ball_exactly(ball: PetCase) -> None:
    for seed in (hottest(ball), torch.tensor([22, 25, 30]), torch.tensor([20, 30, 26])):
        assert torch.equal(climb(ball, seed), hottest(ball))
        assert torch.equal(share_of_most(ball, seed), ball.tumour)


def test_41_percent_of_another_hot_thing_is_left_out(ball: PetCase) -> None:
    suv = ball.suv.clone()
    suv[2:6, 2:6, 2:6] = 30.0
    assert torch.equal(share_of_most(ball._replace(suv=suv), hottest(ball)), ball.tumour)


def test_only_the_part_at_the_click_counts() -> None:
    mask = torch.zeros(20, 20, 20, dtype=torch.bool)
    mask[2:5, 2:5, 2:5] = True
    mask[12:16, 12:16, 12:16] = True
    assert int(near(mask, torch.tensor([3, 3, 3])).sum()) == 27
    assert int(near(mask, torch.tensor([17, 14, 14])).sum()) == 64  # two voxels beside it
    assert not near(mask, torch.tensor([9, 9, 9])).any()
    assert not near(torch.zeros_like(mask), torch.tensor([9, 9, 9])).any()


def test_patients_held_back_are_not_trained_on() -> None:
    parts = split()
    train, development, held = (set(parts[k]) for k in ("train", "development", "held_back"))
    assert not (train & held or train & development or development & held)
    assert {"STS_002", "STS_008"} <= held
    assert len(train | development | held) == 50
