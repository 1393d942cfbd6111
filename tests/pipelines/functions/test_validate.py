"""Every rule of a call, broken one at a time, and the one form of equal calls."""

from typing import Any

import numpy as np
import pytest

from ennead.plugins import FunctionRule
from ennead.testing.results import small_grid
from ennead.testing.sample import sample_package
from ennead_pipelines.functions.validate import Surroundings, check_inputs
from ennead_pipelines.functions.values import canonical_text

GRID = small_grid("oblique")
AROUND = Surroundings(GRID, tuple(f"1.2.{k}" for k in range(GRID.shape[0])))  # type: ignore[arg-type]


def rule(name: str) -> FunctionRule:
    manifest = sample_package().manifest
    found = manifest.function_rule(name) if manifest else None
    assert found is not None
    return found


def at(z: float, y: float, x: float) -> list[float]:
    return [float(v) for v in GRID.to_patient((z, y, x))]


def seed(z: float = 3, y: float = 7, x: float = 9, uid: str = "") -> dict[str, Any]:
    return {"instance_uid": uid or f"1.2.{round(z)}", "position_mm": at(z, y, x)}


def keys(function: str, **given: Any) -> list[str]:
    _, problems = check_inputs(rule(function), given, AROUND)
    return [p.text_key.rpartition(".")[2] for p in problems]


def line(*points: tuple[float, float, float], uid: str = "1.2.3") -> dict[str, Any]:
    return {"instance_uid": uid, "start_mm": at(*points[0]), "end_mm": at(*points[1])}


def ellipse(shape: str = "ellipse") -> dict[str, Any]:
    ends = [(3, 5, 9), (3, 15, 9), (3, 10, 4), (3, 10, 14)]
    return {"instance_uid": "1.2.3", "shape": shape, "points_mm": [at(*p) for p in ends]}


def test_defaults_are_filled_in_and_equal_calls_have_one_form() -> None:
    inputs, problems = check_inputs(rule("grow"), {"seed": seed()}, AROUND)
    assert problems == []
    assert (inputs["limit_hu"], inputs["how"]) == (50.0, "well")
    nudged = {"seed": seed()}
    nudged["seed"]["position_mm"] = [v + 1e-5 for v in nudged["seed"]["position_mm"]]
    again, _ = check_inputs(rule("grow"), {"how": "well", "limit_hu": 50, **nudged}, AROUND)
    assert canonical_text(again) == canonical_text(inputs)
    other, _ = check_inputs(rule("grow"), {"seed": seed(y=8)}, AROUND)
    assert canonical_text(other) != canonical_text(inputs)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({}, "missing"),
        ({"seed": seed(), "colour": 1}, "unknown_input"),
        ({"seed": [1, 2, 3]}, "shape"),
        ({"seed": {**seed(), "slice": 3}}, "shape"),
        ({"seed": {**seed(), "position_mm": [0.0, float("nan"), 0.0]}}, "shape"),
        ({"seed": seed(uid="9.9.9")}, "image"),
        ({"seed": seed(y=-0.6)}, "outside"),
        ({"seed": seed(x=GRID.shape[2] - 0.4)}, "outside"),
        ({"seed": seed(z=3.6, uid="1.2.3")}, "off_image"),
        ({"seed": seed(), "limit_hu": 200.1}, "bounds"),
        ({"seed": seed(), "limit_hu": -0.1}, "bounds"),
        ({"seed": seed(), "limit_hu": True}, "shape"),
        ({"seed": seed(), "limit_hu": "50"}, "shape"),
        ({"seed": seed(), "how": "badly"}, "choice"),
    ],
)
def test_each_broken_rule_is_one_problem(given: dict[str, Any], key: str) -> None:
    assert keys("grow", **given) == [key]


@pytest.mark.parametrize(
    "given",
    [
        {"seed": seed(y=-0.49)},
        {"seed": seed(x=GRID.shape[2] - 0.51)},
        {"seed": seed(z=3.49, uid="1.2.3")},
        {"seed": seed(), "limit_hu": 200},
        {"seed": seed(), "limit_hu": 0.0},
    ],
)
def test_the_edge_of_each_rule_is_kept(given: dict[str, Any]) -> None:
    assert keys("grow", **given) == []


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = keys("grow", seed=seed(uid="9.9.9"), limit_hu=999.0, how="badly")
    assert found == ["image", "bounds", "choice"]


def test_planar_inputs_lie_on_one_image_and_have_a_size() -> None:
    good = line((3, 2, 2), (3, 12, 9))
    assert keys("inspect", line=good, roi=ellipse()) == []
    assert keys("inspect", line=line((3, 2, 2), (4, 2, 2)), roi=ellipse()) == ["off_image"]
    assert keys("inspect", line=line((3, 2, 2), (3, 2, 2)), roi=ellipse()) == ["too_small"]
    assert keys("liar", line=good, roi=ellipse("rectangle")) == ["roi_shape"]
    two = {"instance_uid": "1.2.3", "points_mm": [at(3, 2, 2), at(3, 9, 9)]}
    assert keys("inspect", line=good, roi=ellipse(), contour=two) == ["shape"]


def test_points_are_counted_and_each_is_checked() -> None:
    good = {"line": line((3, 2, 2), (3, 12, 9)), "roi": ellipse()}
    assert keys("inspect", **good, points=[seed(), seed(y=9)]) == []
    assert keys("inspect", **good, points=[seed()]) == ["count"]
    assert keys("inspect", **good, points=[seed()] * 4) == ["count"]
    assert keys("inspect", **good, points=[seed(), seed(y=99)]) == ["outside"]


def test_strokes_of_a_mask_lie_on_images_of_the_series() -> None:
    stroke = {
        "action": "paint",
        "instance_uid": "1.2.3",
        "points_mm": [at(3, 2, 2), at(3, 9, 2), at(3, 9, 9)],
    }
    mask = {"seg_instance_uid": "1.9", "segment_number": 1, "strokes": [stroke]}
    assert keys("edit", mask=mask) == []
    assert keys("edit", mask={**mask, "segment_number": 0}) == ["shape"]
    assert keys("edit", mask={**mask, "strokes": [{**stroke, "action": "blur"}]}) == ["shape"]
    far = {**stroke, "instance_uid": "1.2.5"}
    assert keys("edit", mask={**mask, "strokes": [far]}) == ["off_image"]
    replaced = [{"instance_uid": "7.7", "bits": ""}]
    assert keys("edit", mask={**mask, "replacement": replaced}) == ["image"]


def test_a_point_in_a_single_image_needs_no_neighbour() -> None:
    grid = small_grid("single")
    point = {"instance_uid": "1.5", "position_mm": [float(v) for v in grid.to_patient((0, 3, 4))]}
    _, problems = check_inputs(rule("grow"), {"seed": point}, Surroundings(grid, ("1.5",)))  # type: ignore[arg-type]
    assert problems == []
    assert np.prod(grid.shape) > 0
