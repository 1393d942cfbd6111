"""Body, bones, table and gas against formulas; the same answer on every grid."""

import math

import numpy as np
import pytest

from ennead.contracts import AnatomyProvider, Volume
from ennead.errors import NotFound
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.testing.phantoms import LABELS, chest_phantom
from ennead.testing.shapes import Box, EllipticTube, Tube, paint
from ennead_pipelines.anatomy.classical_ct import STRUCTURES, VALUES, ClassicalCT

AXES = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def volume_of(hu: np.ndarray, grid: Grid, modality: str = "CT") -> Volume:
    return Volume(hu, grid, StudyUID("2.25.1"), SeriesUID("2.25.2"), modality, (), {})


@pytest.fixture(scope="module", params=["flipped", "oblique"])
def chest(request):
    phantom = chest_phantom(request.param, spacing_mm=2.0)
    return phantom, ClassicalCT().compute(volume_of(phantom.values, phantom.grid))


def test_it_is_a_provider_of_ct_only() -> None:
    provider = ClassicalCT()
    assert isinstance(provider, AnatomyProvider)
    grid = Grid((3, 2, 2), (0.0, 0.0, 0.0), AXES, (1.0, 1.0, 1.0))
    empty = np.zeros(grid.shape, np.float32)
    assert provider.fits(volume_of(empty, grid))
    assert not provider.fits(volume_of(empty, grid, "MR"))


def test_body_of_the_chest_phantom(chest) -> None:
    phantom, found = chest
    body = found.mask("body")
    height = np.ptp(phantom.grid.to_patient(np.argwhere(body))[:, 2]) + 2
    expected = math.pi * 176 * 119 * height  # an elliptic cylinder with everything inside
    if abs(phantom.grid.axes[0][2]) > 0.999:
        assert body.sum() * phantom.grid.voxel_volume_mm3 == pytest.approx(expected, rel=0.01)
    inside = phantom.labels
    for organ in ("right_lung", "left_lung", "bowel"):
        assert body[inside == LABELS[organ]].mean() > 0.999, organ
    assert body[inside == LABELS["table"]].mean() < 0.001
    table = found.mask("table")
    assert not (table & body).any()
    shell = phantom.values == 80
    assert table[shell].mean() > 0.95  # what lies within 3 mm of the skin goes with it


def test_airway_and_other_gas(chest) -> None:
    phantom, found = chest
    airway, gas = found.mask("airway"), found.mask("inner_gas")
    truth = phantom.labels == LABELS["airway"]
    assert airway[truth].mean() > 0.98
    assert truth[airway].mean() > 0.85  # the ends of the bronchi lie in lung
    assert not airway[phantom.labels == LABELS["oesophagus"]].any()
    assert gas[phantom.labels == LABELS["bowel"]].mean() > 0.97
    assert gas[phantom.labels == LABELS["right_lung"]].mean() < 0.001


def test_bones_of_the_chest_phantom(chest) -> None:
    phantom, found = chest
    bones = found.mask("bones")
    ribs = phantom.values == 350
    assert bones[ribs].mean() > 0.95
    # Its spinal canal (a tube of 30 HU) is no bone, and neither is muscle or blood.
    canal = np.zeros(phantom.grid.shape, bool)
    paint(phantom.grid, Tube((0, 95, -400), (0, 95, 400), 4.0), (canal, True))
    canal &= phantom.values == 30
    assert bones[canal].mean() < 0.05
    soft = (phantom.values == 50) | (phantom.values == 45)
    assert bones[soft].mean() < 0.03


def test_labels_are_exclusive_and_numbers_add_up(chest) -> None:
    phantom, found = chest
    assert found.labels.dtype == np.uint8
    assert found.labels.shape == phantom.grid.shape
    assert set(np.unique(found.labels)) <= {0, *VALUES.values()}
    quality = found.quality
    voxel = phantom.grid.voxel_volume_mm3 / 1000
    for name in STRUCTURES:
        assert quality[f"{name}_cm3"] == pytest.approx(found.mask(name).sum() * voxel)
    assert quality["lung_left_right_ratio"] == pytest.approx(phantom.truth["lr_ratio"], rel=0.02)
    with pytest.raises(NotFound, match="liver"):
        found.mask("liver")


def test_the_spine_is_where_it_was_put(chest) -> None:
    _, found = chest
    point = found.landmarks_mm["bone_column"]
    assert point[:2] == pytest.approx((0.0, 82.0), abs=8.0)


def leg(x_mm: float) -> EllipticTube:
    return EllipticTube((x_mm, 0), (60, 60), (-400, 400))


def test_both_legs_are_body_and_the_table_is_not() -> None:
    grid = Grid((40, 120, 180), (-179.0, -100.0, -60.0), AXES, (3.0, 2.0, 2.0))
    hu = np.full(grid.shape, -1000, np.float32)
    for x_mm in (-80.0, 80.0):
        paint(grid, leg(x_mm), (hu, 40))
        paint(grid, Tube((x_mm, 0, -400), (x_mm, 0, 400), 15.0), (hu, 900))
        paint(grid, Tube((x_mm, 0, -400), (x_mm, 0, 400), 8.0), (hu, -40))  # yellow marrow
    paint(grid, Box((-180, 65, -400), (180, 71, 400)), (hu, 100))
    found = ClassicalCT().compute(volume_of(hu, grid))
    height = grid.shape[0] * 3
    volume = grid.voxel_volume_mm3
    assert found.mask("body").sum() * volume == pytest.approx(
        2 * math.pi * 60**2 * height, rel=0.01
    )
    bones = found.mask("bones").sum() * volume  # with their marrow
    assert bones == pytest.approx(2 * math.pi * 15**2 * height, rel=0.06)
    assert found.mask("table").sum() * volume == pytest.approx(360 * 6 * height)
    assert not found.mask("lungs").any()


def test_contrast_in_a_great_vessel_is_no_bone() -> None:
    grid = Grid((40, 110, 110), (-109.0, -109.0, -40.0), AXES, (2.0, 2.0, 2.0))
    hu = np.full(grid.shape, -1000, np.float32)
    paint(grid, EllipticTube((0, 0), (100, 100), (-400, 400)), (hu, 40))
    paint(grid, Tube((0, 50, -400), (0, 50, 400), 18.0), (hu, 700))
    paint(grid, Tube((0, 50, -400), (0, 50, 400), 14.0), (hu, 150))
    vessel = Tube((0, 0, -400), (0, 0, 400), 12.0)
    paint(grid, vessel, (hu, 350))
    inside = np.zeros(grid.shape, bool)
    paint(grid, vessel, (inside, True))
    found = ClassicalCT().compute(volume_of(hu, grid))
    assert found.mask("bones")[inside].mean() < 0.01
    assert found.quality["contrast_cm3"] == pytest.approx(math.pi * 1.2**2 * 8.0, rel=0.05)


def test_the_same_volume_gives_the_same_labels() -> None:
    phantom = chest_phantom("anisotropic", spacing_mm=2.0, noise_hu=20)
    one, two = (ClassicalCT().compute(volume_of(phantom.values, phantom.grid)) for _ in range(2))
    assert np.array_equal(one.labels, two.labels)
    assert (one.quality, one.landmarks_mm) == (two.quality, two.landmarks_mm)
