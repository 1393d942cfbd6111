"""Which stacks are regular, and the words for those that are not."""

from typing import Any

import numpy as np
import pytest

from ennead.findings import RefusalCode
from ennead_pipelines.select import Stack, stack_of


def header(z: float, **changes: Any) -> dict[str, Any]:
    values: dict[str, list[Any]] = {
        "00200032": [10.0, 20.0, z],
        "00200037": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "00280030": [0.7, 0.8],
        "00280010": [4],
        "00280011": [6],
        "00200052": ["1.2.3"],
    } | changes
    return {tag: {"vr": "DS", "Value": value} for tag, value in values.items() if value}


def codes(answer: Any) -> list[tuple[str, str]]:
    assert isinstance(answer, list)
    return [(str(r.code), r.text_key) for r in answer]


def test_slices_are_sorted_along_their_normal() -> None:
    answer = stack_of([header(z) for z in (4.0, 0.0, 2.0)])
    assert isinstance(answer, Stack)
    assert answer.order == (1, 2, 0)
    assert answer.grid.spacing_mm == (2.0, 0.7, 0.8)
    np.testing.assert_allclose(answer.grid.to_patient([2, 3, 5]), [10 + 5 * 0.8, 20 + 3 * 0.7, 4])


@pytest.mark.parametrize("tag", ["00200032", "00200037", "00280030", "00280010"])
def test_missing_geometry(tag: str) -> None:
    answer = stack_of([header(z, **{tag: []}) for z in (0.0, 2.0)])
    assert codes(answer) == [("GEOMETRY_MISSING", "refusal.geometry_missing")]


def test_without_a_frame_of_reference_a_broken_stack_is_said_too() -> None:
    slices = [header(z, **{"00200052": []}) for z in (0.0, 2.0, 2.0)]
    assert codes(stack_of(slices)) == [
        ("GEOMETRY_NONUNIFORM", "jobs.geometry.duplicates"),
        ("GEOMETRY_MISSING", "refusal.geometry_missing"),
    ]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"00200052": ["1.2.4"]}, "frames_of_reference"),
        ({"00280010": [5]}, "sizes"),
        ({"00200037": [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]}, "orientations"),
        ({"00280030": [0.9, 0.9]}, "spacings"),
        ({"00200032": [10.0, 20.0, 2.0]}, "duplicates"),
        ({"00200032": [10.0, 20.0, 9.0]}, "gaps"),
        ({"00200032": [10.0, 23.0, 6.0]}, "sideways"),
        ({"00181120": [-12.5]}, "tilt"),
    ],
)
def test_why_a_stack_is_not_regular(changes: dict[str, Any], word: str) -> None:
    slices = [header(z) for z in (0.0, 2.0, 4.0)] + [header(6.0, **changes)]
    (reason,) = stack_of(slices)  # type: ignore[misc]
    assert reason.code is RefusalCode.GEOMETRY_NONUNIFORM
    assert reason.text_key == f"jobs.geometry.{word}"


def test_a_tilt_the_positions_show_and_the_header_hides() -> None:
    shear = np.tan(np.radians(18.5))
    slices = [header(z, **{"00200032": [10.0, 20.0 + shear * z, z]}) for z in (0.0, 4.0, 8.0)]
    (reason,) = stack_of(slices)  # type: ignore[misc]
    assert reason.text_key == "jobs.geometry.sideways"
    assert reason.values["shift_mm"] == pytest.approx(4 * shear, abs=0.01)
