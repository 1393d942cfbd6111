"""Nodules: size against balls of known diameter, what is cut off, and every refusal."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.errors import EmptyMask
from ennead.geometry import Grid
from ennead.identifiers import InstanceUID
from ennead.interaction import FunctionContext, MaskEdit, Point
from ennead.texts import translate
from ennead_lung.nodule_axes import nodule_axes
from ennead_lung.nodule_mean_diameter import nodule_mean_diameter
from ennead_lung.nodule_region import NoduleRegion, NoRegion, nodule_region
from ennead_lung.nodule_seed import nodule_edit, nodule_seed
from ennead_lung.nodule_volume import nodule_volume_mm3
from ennead_lung.technique import manifest

LUNG_HU, SOLID_HU = -850.0, 30.0
AXIAL = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
Paint = Callable[[Any, Any, Any], Any]


def scene(
    *paints: tuple[Paint, float],
    spacing: tuple[float, float, float] = (0.5, 0.5, 0.5),
    axes: Any = AXIAL,
    half_mm: float = 20.0,
    noise_hu: float = 0.0,
    lung_hu: float = LUNG_HU,
) -> tuple[np.ndarray, Grid]:
    """Lung with shapes painted into it: ``(inside(x, y, z in LPS mm), HU)``; later ones win."""
    shape = tuple(int(2 * half_mm / s) | 1 for s in spacing)
    step = np.array(axes) * np.array(spacing)[:, None]
    origin = -((np.array(shape) - 1) / 2) @ step
    grid = Grid(shape, tuple(float(v) for v in origin), axes, spacing, "1.2")  # type: ignore[arg-type]
    index = np.moveaxis(np.indices(shape), 0, -1)
    x, y, z = np.moveaxis(grid.to_patient(index), -1, 0)
    hu = np.full(shape, lung_hu, dtype=np.float32)
    for inside, value in paints:
        hu[inside(x, y, z)] = value
    if noise_hu:
        hu += np.random.default_rng(3).normal(0, noise_hu, shape).astype(np.float32)
    return hu, grid


def ball(diameter: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Paint:
    cx, cy, cz = at
    return lambda x, y, z: (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 <= (diameter / 2) ** 2


def wall(from_mm: float) -> Paint:
    return lambda x, y, z: y > from_mm


def vessel(radius: float) -> Paint:
    return lambda x, y, z: y**2 + z**2 <= radius**2


def voxel(grid: Grid, point: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Any:
    return tuple(int(v) for v in np.rint(grid.to_index(point)))


def region(hu: np.ndarray, grid: Grid, at: Any = (0.0, 0.0, 0.0)) -> NoduleRegion:
    found = nodule_region(hu, grid, voxel(grid, at))
    assert isinstance(found, NoduleRegion), found
    return found


def refused(hu: np.ndarray, grid: Grid, at: Any = (0.0, 0.0, 0.0)) -> str:
    found = nodule_region(hu, grid, voxel(grid, at))
    assert isinstance(found, NoRegion)
    return found.key


@pytest.mark.parametrize(
    "at", [(0, 0, 0), (0.1, -0.2, 0.15), (0.25, 0.25, 0.25), (-0.2, 0.1, 0.05)]
)
def test_a_ball_of_8_mm_has_268_mm3_and_axes_of_8_mm(at: tuple[float, float, float]) -> None:
    """Specialties page, section 1: 3 % and 0.3 mm at 0.5 mm."""
    hu, grid = scene((ball(8.0, at), SOLID_HU))
    found = region(hu, grid)
    axes = nodule_axes(found.mask, grid)
    assert nodule_volume_mm3(found.mask, grid) == pytest.approx(268.08, rel=0.03)
    assert axes.long_mm == pytest.approx(8.0, abs=0.3)
    assert axes.short_mm == pytest.approx(8.0, abs=0.3)


@pytest.mark.parametrize("diameter", [4.0, 6.0, 12.0, 20.0, 28.0])
def test_balls_of_every_size(diameter: float) -> None:
    hu, grid = scene((ball(diameter, (0.1, 0.2, -0.1)), SOLID_HU), half_mm=26.0)
    found = region(hu, grid)
    axes = nodule_axes(found.mask, grid)
    assert nodule_volume_mm3(found.mask, grid) == pytest.approx(np.pi / 6 * diameter**3, rel=0.03)
    assert axes.long_mm == pytest.approx(diameter, abs=0.3)
    assert axes.short_mm == pytest.approx(diameter, abs=0.3)


@pytest.mark.parametrize("diameter", [6.0, 8.0, 12.0])
@pytest.mark.parametrize("spacing", [1.0, 1.5, 2.0])
def test_wide_pixels_do_not_shrink_the_axes(diameter: float, spacing: float) -> None:
    hu, grid = scene((ball(diameter), SOLID_HU), spacing=(spacing, spacing, spacing))
    axes = nodule_axes(hu > -400, grid)
    assert axes.long_mm == pytest.approx(diameter, abs=spacing)
    assert axes.short_mm == pytest.approx(diameter, abs=spacing)


def _turned() -> Any:
    a, b = 0.3, -0.2
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turned = np.array(AXIAL) @ (x @ y).T
    return tuple(tuple(float(v) for v in row) for row in turned)


@pytest.mark.parametrize(
    ("name", "spacing", "axes"),
    [
        ("anisotropic", (1.25, 0.7, 0.7), AXIAL),
        ("thick", (2.5, 0.7, 0.7), AXIAL),
        ("oblique", (0.7, 0.7, 0.7), _turned()),
        ("flipped", (0.7, 0.7, 0.7), ((0, 0, -1.0), (0, 1.0, 0), (-1.0, 0, 0))),
    ],
)
def test_the_answer_does_not_depend_on_the_grid(name: str, spacing: Any, axes: Any) -> None:
    hu, grid = scene((ball(12.0), SOLID_HU), spacing=spacing, axes=axes, noise_hu=20.0)
    found = region(hu, grid)
    tolerance = 0.08 if name == "thick" else 0.05
    volume = nodule_volume_mm3(found.mask, grid)
    assert volume == pytest.approx(np.pi / 6 * 12.0**3, rel=tolerance)
    assert nodule_axes(found.mask, grid).long_mm == pytest.approx(12.0, abs=0.6)


def test_a_ground_glass_nodule_is_found_by_its_own_level() -> None:
    hu, grid = scene((ball(12.0), -600.0), noise_hu=20.0)
    found = region(hu, grid)
    assert found.level_hu == pytest.approx(-600, abs=15)
    assert nodule_volume_mm3(found.mask, grid) == pytest.approx(904.8, rel=0.05)


@pytest.mark.parametrize(("radius", "tolerance"), [(1.0, 0.03), (1.5, 0.06), (2.0, 0.15)])
def test_a_vessel_through_the_nodule_is_cut_off(radius: float, tolerance: float) -> None:
    hu, grid = scene((vessel(radius), 40.0), (ball(8.0), SOLID_HU))
    assert nodule_volume_mm3(region(hu, grid).mask, grid) == pytest.approx(268.08, rel=tolerance)


@pytest.mark.parametrize(("depth", "tolerance"), [(3.9, 0.05), (3.0, 0.08)])
def test_the_chest_wall_is_cut_off(depth: float, tolerance: float) -> None:
    hu, grid = scene((wall(depth), 40.0), (ball(8.0), SOLID_HU))
    found = region(hu, grid)
    assert nodule_volume_mm3(found.mask, grid) == pytest.approx(268.08, rel=tolerance)


def test_a_click_beside_the_middle_gives_the_same_nodule() -> None:
    hu, grid = scene((ball(8.0), SOLID_HU))
    middle = region(hu, grid).mask
    for at in ((2.5, 0.0, 0.0), (0.0, -3.0, 1.0), (4.5, 0.0, 0.0)):
        assert np.array_equal(region(hu, grid, at).mask, middle)


def test_where_there_is_no_nodule() -> None:
    hu, grid = scene((wall(12.0), 40.0), (ball(8.0), SOLID_HU))
    assert refused(hu, grid, (-9.0, -9.0, -9.0)) == "seed_air"
    assert refused(*scene((wall(-99.0), 40.0))) == "outside_lung"
    assert refused(*scene((ball(8.0), SOLID_HU), lung_hu=-1000.0)) == "outside_lung"
    assert refused(*scene((wall(2.0), 40.0)), (0.0, 9.0, 0.0)) in ("leaks", "outside_lung")
    assert refused(*scene((vessel(2.0), 40.0), half_mm=34.0)) == "leaks"
    assert refused(*scene((ball(40.0), SOLID_HU), half_mm=36.0, spacing=(1, 1, 1))) == "leaks"


def test_a_nodule_at_the_edge_is_not_measured() -> None:
    hu, grid = scene((ball(8.0, (0, 0, 18.0)), SOLID_HU))
    assert refused(hu, grid, (0, 0, 18.0)) == "cut"


def test_a_speck_is_too_small() -> None:
    hu, grid = scene((ball(3.0), SOLID_HU), spacing=(2.0, 2.0, 2.0))
    assert refused(hu, grid) == "small"


def test_axes_of_an_ellipse_are_perpendicular_on_one_slice() -> None:
    turn = 0.6

    def inside(x: Any, y: Any, z: Any) -> Any:
        u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
        return (u / 8.0) ** 2 + (v / 5.0) ** 2 + (z / 6.0) ** 2 <= 1

    hu, grid = scene((inside, SOLID_HU))
    axes = nodule_axes(hu > -400, grid)
    assert axes.long_mm == pytest.approx(16.0, abs=0.3)
    assert axes.short_mm == pytest.approx(10.0, abs=0.3)
    assert axes.slice_index == grid.shape[0] // 2


@pytest.mark.parametrize(
    ("long_mm", "short_mm", "mean_mm"),
    [(8.0, 8.0, 8.0), (8.0, 7.5, 7.8), (6.1, 5.8, 6.0), (5.9, 6.0, 6.0), (6.0, 5.8, 5.9)],
)
def test_the_mean_is_rounded_half_up(long_mm: float, short_mm: float, mean_mm: float) -> None:
    assert nodule_mean_diameter(long_mm, short_mm) == mean_mm


def test_nothing_has_no_size() -> None:
    _, grid = scene()
    empty = np.zeros(grid.shape, dtype=bool)
    with pytest.raises(EmptyMask):
        nodule_volume_mm3(empty, grid)
    with pytest.raises(EmptyMask):
        nodule_axes(empty, grid)
    empty[3, 3, 3] = True
    assert nodule_axes(empty, grid).long_mm == 0.5


def as_volume(hu: np.ndarray, grid: Grid, thickness_mm: float | None = None) -> Volume:
    uids = tuple(InstanceUID(f"2.25.3.{k}") for k in range(grid.shape[0]))
    header = {} if thickness_mm is None else {"00180050": {"vr": "DS", "Value": [thickness_mm]}}
    return Volume(hu, grid, "2.25.1", "2.25.2", "CT", uids, header)  # type: ignore[arg-type]


def seeded(volume: Volume) -> FunctionContext:
    middle = volume.instance_uids[len(volume.instance_uids) // 2]
    return FunctionContext(volume, {"seed": Point(middle, (0.0, 0.0, 0.0))})


def test_the_function_returns_what_the_manifest_promises() -> None:
    hu, grid = scene((ball(8.0), SOLID_HU))
    segment, finding = nodule_seed(seeded(as_volume(hu, grid, 0.5)))
    rule = manifest().function_rule("nodule_seed")
    assert rule is not None
    promised = set(rule.outputs)
    values = {m.id: m.value for m in finding.measurements}  # type: ignore[union-attr]
    assert {segment.id, finding.id, *values} == promised  # type: ignore[union-attr]
    assert values["nodule_mean_diameter"] == pytest.approx(8.0, abs=0.3)
    assert values["nodule_volume"] == pytest.approx(268, rel=0.03)
    assert finding.key_instance_uid == "2.25.3.40"  # type: ignore[union-attr]


@pytest.mark.parametrize(("thickness", "refuses"), [(2.5, False), (2.51, True), (None, False)])
def test_thick_slices_are_refused_at_the_limit(thickness: float | None, refuses: bool) -> None:
    hu, grid = scene((ball(8.0), SOLID_HU))
    first = next(iter(nodule_seed(seeded(as_volume(hu, grid, thickness)))))
    assert (getattr(first, "text_key", "") == "refusal.nodule.thickness") is refuses


def test_an_edited_nodule_is_measured_again_and_stays_the_same_finding() -> None:
    hu, grid = scene((ball(8.0), SOLID_HU))
    volume = as_volume(hu, grid)
    mask = hu > -400
    half = mask.copy()
    half[: grid.shape[0] // 2] = False
    edit = MaskEdit("2.25.9", 1, "Lung nodule", "2.25.77", mask, half)  # type: ignore[arg-type]
    _, finding = nodule_edit(FunctionContext(volume, {"mask": edit}))
    assert finding.tracking_uid == "2.25.77"  # type: ignore[union-attr]
    [value] = [m.value for m in finding.measurements if m.id == "nodule_volume"]  # type: ignore[union-attr]
    assert value == pytest.approx(268 / 2 + np.pi * 16 * 0.25, rel=0.04)
    gone = MaskEdit("2.25.9", 1, "", "2.25.77", mask, np.zeros_like(mask))  # type: ignore[arg-type]
    [refusal] = nodule_edit(FunctionContext(volume, {"mask": gone}))
    assert refusal.text_key == "refusal.nodule.small"  # type: ignore[union-attr]


def test_every_refusal_has_words_in_both_languages() -> None:
    from pathlib import Path

    import ennead_lung

    folder = Path(ennead_lung.__file__).parent
    for key in ("seed_air", "outside_lung", "leaks", "cut", "small", "thickness"):
        said = {
            translate(f"refusal.nodule.{key}", language, package_folder=folder)
            for language in ("vi", "en")
        }
        assert len(said) == 2
        assert f"refusal.nodule.{key}" not in said
