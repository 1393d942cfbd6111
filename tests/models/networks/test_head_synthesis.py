"""Training images of the head: sides, volumes, seeds, and what spoiling keeps."""

from __future__ import annotations

import pytest
import torch

from head_structures.train.contrast import FAMILIES, draw_contrast
from head_structures.train.data import HeadMap, split
from head_structures.train.deformation import draw_positions, grid_mm, rotation, take
from head_structures.train.structures import (
    BRAIN,
    CHANNELS,
    INTRACRANIAL,
    SIDES,
    STRUCTURES,
    merge_table,
    swap_table,
)
from head_structures.train.synthesis import blur, cut, make_pair, stretch, thick_slices
from network_training.randomness import generator

SHAPE = (32, 40, 32)


@pytest.fixture(scope="module")
def head() -> HeadMap:
    """A ball of white matter in scalp; a large left and a small right hippocampus; 1 mm, RAS."""
    x, y, z = torch.meshgrid(*(torch.arange(n) - n // 2 for n in (80, 90, 80)), indexing="ij")
    values = torch.zeros((80, 90, 80), dtype=torch.uint8)
    radius = (x**2 + y**2 + z**2).float().sqrt()
    values[radius < 38] = 211
    values[radius < 34] = 24
    values[radius < 30] = 2
    values[((x + 15) ** 2 + y**2 + z**2) < 81] = 17
    values[((x - 15) ** 2 + y**2 + z**2) < 25] = 53
    return HeadMap("ball", values, (40.0, 45.0, 40.0))


def test_left_stays_left_in_mirrored_heads(head: HeadMap) -> None:
    larger_left = []
    for index in range(8):
        labels = make_pair(head, generator(3, index), SHAPE).labels
        left, right = (labels == 6).nonzero().float(), (labels == 7).nonzero().float()
        if len(left) < 5 or len(right) < 5:
            continue  # shifted out of the field of view
        assert left[:, 0].mean() < right[:, 0].mean()  # RAS: small x is left
        larger_left.append(len(left) > len(right))
    assert True in larger_left  # as the map is
    assert False in larger_left  # mirrored: the large one is on the right, and named so


def test_every_side_has_its_other_side() -> None:
    table = swap_table().long()
    assert torch.equal(table[table], torch.arange(256))
    merged = merge_table()
    for left, right in SIDES:
        assert merged[left] == merged[right] or (left, right) == (17, 53)


def test_each_structure_is_made_of_its_own_values() -> None:
    sources = [value for structure in STRUCTURES for value in structure.sources]
    assert len(sources) == len(set(sources))
    assert [s.value for s in STRUCTURES] == list(range(1, CHANNELS))
    merged = merge_table()
    assert set(merged[200:].tolist()) == {0}
    assert set(BRAIN) | {3, 10, 12} == set(INTRACRANIAL)


def test_a_turned_ball_keeps_its_volume() -> None:
    x, y, z = torch.meshgrid(*(torch.arange(60) - 30 for _ in range(3)), indexing="ij")
    ball = ((x**2 + y**2 + z**2) < 20**2).to(torch.uint8)
    positions = grid_mm((32, 32, 32)) @ rotation((17.0, -9.0, 31.0)).T + 30.0
    found_mm3 = int(take(ball, positions).sum()) * 8.0
    assert found_mm3 == pytest.approx(4 / 3 * torch.pi * 20**3, rel=0.01)


@pytest.mark.parametrize("index", range(4))
def test_a_bent_ball_has_the_volume_that_the_bending_gives_it(index: int) -> None:
    """What a voxel covers in the map is the determinant of the positions' own differences."""
    x, y, z = torch.meshgrid(*(torch.arange(100) - 50 for _ in range(3)), indexing="ij")
    ball = ((x**2 + y**2 + z**2) < 18**2).to(torch.uint8)
    positions = draw_positions(generator(5, index), (64, 64, 64), (50.0, 50.0, 50.0))
    slopes = torch.stack(torch.gradient(positions, dim=(0, 1, 2)), dim=-1)
    covered_mm3 = torch.linalg.det(slopes).abs()
    inside = take(ball, positions) > 0
    assert float(covered_mm3[inside].sum()) == pytest.approx(4 / 3 * torch.pi * 18**3, rel=0.02)


def test_a_training_pair_depends_on_its_number_and_seed_alone(head: HeadMap) -> None:
    first = make_pair(head, generator(1, 7), SHAPE)
    again = make_pair(head, generator(1, 7), SHAPE)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.image, make_pair(head, generator(1, 8), SHAPE).image)
    assert not torch.equal(first.image, make_pair(head, generator(2, 7), SHAPE).image)


def test_images_are_0_to_1_and_labels_the_networks(head: HeadMap) -> None:
    for index in range(6):
        image, labels = make_pair(head, generator(9, index), SHAPE)
        assert image.shape == labels.shape == SHAPE
        assert float(image.min()) >= 0
        assert float(image.max()) <= 1
        assert set(labels.unique().tolist()) <= {0, 2, 6, 7, 12}


@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_both_sides_of_the_brain_look_alike(family: str | None) -> None:
    mean, deviation = draw_contrast(generator(1, 1), family)
    for left, right in SIDES:
        assert mean[left] == mean[right]
        assert deviation[left] == deviation[right]
    assert mean[0] == deviation[0] == 0
    if family == "t1":
        assert mean[2] > mean[3] > mean[4]
    if family == "t2":
        assert mean[2] < mean[3] < mean[4]


def test_blur_spreads_a_point_by_its_sigma() -> None:
    point = torch.zeros(41, 3, 3)
    point[20, 1, 1] = 1.0
    spread = blur(point, 0, 2.0)[:, 1, 1]
    offset = torch.arange(41) - 20.0
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float((spread * offset**2).sum()) == pytest.approx(4.0, rel=0.03)


def test_thick_slices_keep_an_even_image_and_smear_a_border() -> None:
    even = torch.full((20, 20, 20), 0.7)
    assert torch.allclose(thick_slices(even, 2, 6.0), even, atol=1e-5)
    step = torch.zeros(24, 24, 24)
    step[12:] = 1.0
    thick = thick_slices(step, 0, 8.0)
    assert thick.shape == step.shape
    between = (thick[:, 12, 12] > 0.02) & (thick[:, 12, 12] < 0.98)
    assert 3 <= int(between.sum()) <= 14  # 8 mm are four voxels
    assert float(thick.mean()) == pytest.approx(0.5, abs=0.02)


def test_what_lies_beyond_the_field_of_view_is_labelled_nothing() -> None:
    for index in range(20):
        image, labels = cut(
            torch.ones(20, 20, 20), torch.ones(20, 20, 20, dtype=torch.uint8), generator(4, index)
        )
        assert torch.equal(image > 0, labels > 0)
        assert float(image.mean()) >= 0.65


def test_stretch_brings_percentiles_to_0_and_1() -> None:
    ramp = torch.linspace(-50, 950, 50 * 50 * 40).reshape(50, 50, 40)
    out = stretch(ramp)
    assert float(out[0, 0, 0]) == 0.0
    assert float(out[-1, -1, -1]) == 1.0
    assert float(out.median()) == pytest.approx(0.5, abs=0.001)


def test_heads_held_back_are_not_trained_on() -> None:
    parts = split()
    assert not set(parts["train"]) & set(parts["held_back"])
    assert len(parts["train"]) + len(parts["held_back"]) == 20
