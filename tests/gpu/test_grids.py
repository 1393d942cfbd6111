"""To a network's grid and back: every patient position stays where it was."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ennead.errors import GridMismatch, ModelManifestInvalid
from ennead.geometry import Grid

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from ennead_gpu.grids import (  # noqa: E402
    NetworkSpace,
    labels_to_source,
    network_grid,
    to_network,
    values_to_source,
)

Axes = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
#: The box of the patient that all images cover: its centre and lengths along L, P, S, in mm.
CENTRE, LENGTHS = np.array([12.0, -30.0, 200.0]), np.array([44.0, 36.0, 40.0])


def rotated(degrees: float, axis: int) -> np.ndarray:
    turn, (a, b) = np.eye(3), [n for n in range(3) if n != axis]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[a, a] = turn[b, b] = c
    turn[a, b], turn[b, a] = -s, s
    return turn


def image_grid(
    spacing_mm: tuple[float, float, float],
    order: tuple[int, int, int] = (2, 1, 0),
    signs: tuple[int, int, int] = (1, 1, 1),
    turn: np.ndarray | None = None,
) -> Grid:
    """A grid whose array axes lie along the patient axes ``order`` (0 = L), all with one centre."""
    turn = np.eye(3) if turn is None else turn
    axes = [signs[n] * turn[:, order[n]] for n in range(3)]
    shape = [round(LENGTHS[order[n]] / spacing_mm[n]) for n in range(3)]
    origin = CENTRE - sum((shape[n] - 1) / 2 * spacing_mm[n] * axes[n] for n in range(3))
    return Grid(
        shape=(shape[0], shape[1], shape[2]),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        axes=tuple(tuple(float(c) for c in a) for a in axes),  # type: ignore[arg-type]
        spacing_mm=spacing_mm,
        frame_of_reference_uid="1.2.3",
    )


OBLIQUE = rotated(18.0, 0) @ rotated(-11.0, 2)
GRIDS = {
    "isotropic": image_grid((2.0, 2.0, 2.0)),
    "anisotropic": image_grid((5.0, 1.0, 1.25)),
    "flipped": image_grid((4.0, 1.0, 1.25), signs=(-1, -1, 1)),
    "left-handed": image_grid((2.0, 1.5, 1.5), signs=(1, 1, -1)),
    "coronal": image_grid((3.0, 1.0, 1.0), order=(1, 2, 0), signs=(1, -1, 1)),
    "sagittal": image_grid((3.0, 1.0, 1.0), order=(0, 2, 1), signs=(-1, -1, 1)),
    "oblique": image_grid((4.0, 1.0, 1.25), turn=OBLIQUE),
    "oblique flipped": image_grid((2.5, 1.0, 1.0), (1, 2, 0), (-1, 1, -1), OBLIQUE),
}
SPACES = {
    "as it is": NetworkSpace(),
    "RAS": NetworkSpace("RAS"),
    "RAS 1.5 mm": NetworkSpace("RAS", (1.5, 1.5, 1.5)),
    "SPL 3 mm": NetworkSpace("SPL", (3.0, 3.0, 3.0)),
    "LPS uneven": NetworkSpace("LPS", (0.8, 1.1, 2.7)),
    "whole image": NetworkSpace("IAR", shape=(16, 17, 18)),
}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())


def places(grid: Grid) -> np.ndarray:
    """float64[…, 3]: LPS mm of every voxel."""
    return grid.to_patient(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1))


def ball(grid: Grid, centre: np.ndarray, radius_mm: float) -> np.ndarray:
    return np.linalg.norm(places(grid) - centre, axis=-1) <= radius_mm


@every_grid
@every_space
def test_a_linear_image_keeps_its_value_at_each_place(grid: Grid, space: NetworkSpace) -> None:
    """Trilinear reading, and means over new voxels, leave a linear function as it is."""
    slope = np.array([0.7, -1.3, 0.4])
    values = (places(grid) @ slope + 5).astype(np.float32)
    tensor, target = to_network(values, grid, space)
    assert tensor.shape == (1, *target.shape)
    truth = places(target) @ slope + 5
    inner = tuple(
        slice(edge, n - edge)
        for n, edge in (
            (n, 1 + int(np.ceil(max(s / t for s in grid.spacing_mm))))
            for n, t in zip(target.shape, target.spacing_mm, strict=True)
        )
    )
    assert truth[inner].size
    np.testing.assert_allclose(tensor[0].numpy()[inner], truth[inner], atol=2e-3)


@every_grid
@every_space
def test_the_networks_grid_covers_the_same_box(grid: Grid, space: NetworkSpace) -> None:
    target = network_grid(grid, space)
    faces = [
        np.sort(
            [g.to_patient(corner) for corner in product(*[(-0.5, n - 0.5) for n in g.shape])],
            axis=0,
        )
        for g in (grid, target)
    ]
    np.testing.assert_allclose(faces[0], faces[1], atol=1e-6)
    for n, (got, wanted) in enumerate(
        zip(target.spacing_mm, space.spacing_mm or target.spacing_mm, strict=True)
    ):
        assert abs(got - wanted) * target.shape[n] <= wanted / 2 + 1e-9


@every_grid
def test_orientation_letters_mean_what_nifti_tools_mean(grid: Grid) -> None:
    import nibabel

    for letters in ("RAS", "LPS", "SPL", "IAR"):
        affine = network_grid(grid, NetworkSpace(letters)).affine.copy()
        affine[:2] *= -1  # LPS to RAS
        assert "".join(nibabel.aff2axcodes(affine)) == letters


@every_grid
@every_space
@pytest.mark.parametrize("smooth", [False, True], ids=["nearest", "smooth"])
def test_a_ball_in_one_corner_returns_to_that_corner(
    grid: Grid, space: NetworkSpace, smooth: bool
) -> None:
    """A voxel farther from the surface than the network's voxel reaches has the analytic label."""
    lower = grid.to_patient(-0.5 * np.ones(3) + 0.28 * np.array(grid.shape))
    other = grid.to_patient(np.array(grid.shape) * (0.75, 0.3, 0.62))
    target = network_grid(grid, space)
    labels = np.zeros(target.shape, dtype=np.uint8)
    labels[ball(target, lower, 8.0)], labels[ball(target, other, 5.0)] = 3, 7
    back = labels_to_source(labels, target, grid, smooth=smooth)
    assert back.dtype == np.uint8 and back.shape == grid.shape
    slack = np.linalg.norm(target.spacing_mm) * (1.0 if smooth else 0.5)
    for value, centre, radius in ((3, lower, 8.0), (7, other, 5.0)):
        distance = np.linalg.norm(places(grid) - centre, axis=-1)
        assert (back[distance <= radius - slack] == value).all()
        assert not (back[distance > radius + slack] == value).any()
    assert set(np.unique(back)) <= {0, 3, 7}


@every_grid
def test_turning_without_resampling_loses_nothing(grid: Grid) -> None:
    labels = np.random.default_rng(1).integers(0, 60000, grid.shape).astype(np.uint16)
    for letters in ("RAS", "SPL", "AIR"):
        space = NetworkSpace(letters)
        tensor, target = to_network(labels, grid, space)
        turned = tensor[0].numpy().astype(np.uint16)
        back = labels_to_source(turned, target, grid)
        assert back.dtype == np.uint16
        np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize("smooth", [False, True], ids=["nearest", "smooth"])
def test_the_way_an_image_is_stored_does_not_matter(smooth: bool) -> None:
    """Ties (a network's grid twice as fine) are broken by the place in the patient."""
    truth: dict[tuple[float, ...], int] | None = None
    rng = np.random.default_rng(4)
    fine = image_grid((1.0, 1.0, 1.0))
    noise = rng.integers(0, 4, fine.shape).astype(np.uint8)
    for signs in product((1, -1), repeat=3):
        grid = image_grid((2.0, 2.0, 2.0), signs=signs)
        back = labels_to_source(noise, fine, grid, smooth=smooth)
        where = np.round(places(grid).reshape(-1, 3), 3)
        found = {tuple(map(float, p)): int(v) for p, v in zip(where, back.flat, strict=True)}
        truth = truth or found
        assert found == truth


def test_a_cropped_grid_puts_its_labels_at_their_place() -> None:
    grid = GRIDS["anisotropic"]
    whole = network_grid(grid, NetworkSpace("RAS", (2.0, 2.0, 2.0)))
    crop = Grid(
        shape=(7, 6, 5),
        origin_mm=tuple(whole.to_patient((4, 3, 8))),  # type: ignore[arg-type]
        axes=whole.axes,
        spacing_mm=whole.spacing_mm,
        frame_of_reference_uid=whole.frame_of_reference_uid,
    )
    labels = np.random.default_rng(2).integers(1, 9, crop.shape).astype(np.uint8)
    padded = np.zeros(whole.shape, dtype=np.uint8)
    padded[4:11, 3:9, 8:13] = labels
    np.testing.assert_array_equal(
        labels_to_source(labels, crop, grid), labels_to_source(padded, whole, grid)
    )


def test_smooth_labels_equal_the_largest_of_linear_maps() -> None:
    grid, space = GRIDS["oblique"], NetworkSpace("SPL", (3.0, 3.0, 3.0))
    target = network_grid(grid, space)
    centres = target.to_patient(np.random.default_rng(3).uniform(0, 1, (5, 3)) * target.shape)
    distance = np.linalg.norm(places(target)[..., None, :] - centres, axis=-1)
    labels = np.where(distance.min(-1) < 9, distance.argmin(-1) + 1, 0).astype(np.uint8)
    maps = np.stack(
        [
            values_to_source(torch.from_numpy((labels == n).astype(np.float32)), target, grid)
            for n in range(6)
        ]
    )
    top = np.sort(maps, axis=0)
    clear = top[-1] - top[-2] > 1e-3
    back = labels_to_source(torch.from_numpy(labels), target, grid, smooth=True)
    np.testing.assert_array_equal(back[clear], maps.argmax(0)[clear])
    assert clear.mean() > 0.9


def test_a_read_only_or_reversed_array_is_neither_changed_nor_refused() -> None:
    grid = GRIDS["isotropic"]
    values = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    plain, _ = to_network(values, grid, NetworkSpace())
    values.setflags(write=False)
    for given in (values, values[::-1].copy()[::-1], values.astype(np.float64)):
        kept = given.copy()
        tensor, _ = to_network(given, grid, NetworkSpace())
        torch.testing.assert_close(tensor, plain)
        tensor.fill_(9)
        np.testing.assert_array_equal(given, kept)


def test_fine_stripes_do_not_alias_into_coarse_ones() -> None:
    """A 2 mm stripe pattern on a 6 mm grid is grey, not stripes of another width."""
    grid = Grid((60, 12, 12), (0, 0, 0), ((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1.0, 1.0, 1.0))
    values = np.broadcast_to(np.arange(60)[:, None, None] % 2 * 100.0, grid.shape)
    tensor, _ = to_network(values.astype(np.float32), grid, NetworkSpace("", (6.0, 6.0, 6.0)))
    np.testing.assert_allclose(tensor[0, 1:-1].numpy(), 50.0, atol=1e-3)
    np.testing.assert_allclose(tensor[0].numpy(), 50.0, atol=3.0)  # the ends go on evenly


def test_grids_that_do_not_belong_together_are_refused() -> None:
    grid, oblique = GRIDS["isotropic"], GRIDS["oblique"]
    labels = np.zeros(oblique.shape, dtype=np.uint8)
    with pytest.raises(GridMismatch, match="image's own axes"):
        labels_to_source(labels, oblique, grid)
    with pytest.raises(GridMismatch, match="does not lie on a grid"):
        labels_to_source(labels[1:], oblique, oblique)
    with pytest.raises(GridMismatch, match="cannot lie on a grid"):
        to_network(np.zeros((2, 3, 4), np.float32), grid, NetworkSpace())
    elsewhere = Grid(grid.shape, grid.origin_mm, grid.axes, grid.spacing_mm, "9.9")
    with pytest.raises(GridMismatch, match="frames of reference"):
        labels_to_source(np.zeros(grid.shape, np.uint8), grid, elsewhere)


@pytest.mark.parametrize(
    ("orientation", "spacing", "shape"),
    [
        ("RAL", None, None),
        ("RA", None, None),
        ("XYZ", None, None),
        ("", (1.0, 0.0, 1.0), None),
        ("", None, (8, 8, 0)),
        ("", (1.0, 1.0, 1.0), (8, 8, 8)),
    ],
)
def test_a_space_that_means_nothing_is_refused(orientation, spacing, shape) -> None:
    with pytest.raises(ModelManifestInvalid):
        NetworkSpace(orientation, spacing, shape=shape)
