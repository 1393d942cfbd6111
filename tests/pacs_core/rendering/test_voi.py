"""Windows, tables and colour, against the formulas of PS3.3 worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ennead_pacs.rendering.colour import to_rgb
from ennead_pacs.rendering.voi import (
    LINEAR_EXACT,
    SIGMOID,
    Window,
    frame_attributes,
    parse_window,
    to_display,
)


def header(**values: Any) -> dict[str, Any]:
    tags = {
        "slope": "00281053", "intercept": "00281052", "centre": "00281050", "width": "00281051",
        "function": "00281056", "photometric": "00280004", "padding": "00280120",
        "voi": "00283010", "modality": "00283000", "shape": "20500020",
    }  # fmt: skip
    return {tags[k]: {"vr": "XX", "Value": [v]} for k, v in values.items()}


def shown(
    values: list[float], attributes: dict[str, Any], window: Window | None = None
) -> list[int]:
    return [int(v) for v in to_display(np.array([values]), attributes, window)[0]]


def test_linear_as_in_the_example_of_the_standard() -> None:
    """§C.11.2.1.2.1 with c=2048, w=4096: 0 → 0, 4095 → 255, the middle in between."""
    assert shown([0, 4095, -1, 5000], {}, Window(2048, 4096)) == [0, 255, 0, 255]
    assert shown([2047.5], {}, Window(2048, 4096)) == [128]
    # w=1 is a threshold at c - 0.5
    assert shown([99, 99.5, 100], {}, Window(100, 1)) == [0, 0, 255]


def test_linear_exact_and_sigmoid() -> None:
    assert shown([0, 50, 100], {}, Window(50, 100, LINEAR_EXACT)) == [0, 128, 255]
    curve = [round(255 / (1 + math.exp(-4 * (v - 50) / 100))) for v in (0, 50, 100)]
    assert shown([0, 50, 100], {}, Window(50, 100, SIGMOID)) == curve
    assert shown([-1e6, 1e6], {}, Window(50, 100, SIGMOID)) == [0, 255]


def test_the_header_s_window_is_in_rescaled_units() -> None:
    attributes = header(
        slope=2.0, intercept=-1000.0, centre=0.0, width=400.0, function=LINEAR_EXACT
    )
    assert shown([400, 500, 600], attributes) == [0, 128, 255]


@pytest.mark.parametrize("bad", [{"width": 0.0}, {"width": -5.0}, {"width": math.nan}, {}])
def test_without_a_usable_window_the_range_of_the_pixels(bad: dict[str, float]) -> None:
    attributes = header(centre=10.0, **bad)
    assert shown([100, 150, 200], attributes) == [0, 128, 255]
    padded = {**attributes, **header(padding=-2000)}
    assert shown([-2000, 100, 150, 200], padded) == [0, 0, 128, 255]
    assert shown([7, 7], attributes) == [128, 128]


def test_monochrome1_and_inverse_are_turned_round() -> None:
    for attributes in (header(photometric="MONOCHROME1"), header(shape="INVERSE")):
        assert shown([0, 10], attributes) == [255, 0]


def lut(first: int, entries: list[int], count: int | None = None, bits: int = 8) -> dict[str, Any]:
    return {
        "00283002": {"vr": "US", "Value": [len(entries) if count is None else count, first, bits]},
        "00283006": {"vr": "US", "Value": entries},
    }


def test_a_voi_table_clamps_at_its_ends() -> None:
    attributes = header(voi=lut(10, [0, 100, 255]))
    assert shown([0, 10, 11, 12, 99], attributes) == [0, 0, 100, 255, 255]


def test_a_modality_table_gives_the_units() -> None:
    attributes = header(modality=lut(0, [500, 100, 300], bits=16))
    assert shown([0, 1, 2], attributes) == [255, 0, 128]


@pytest.mark.parametrize("count", [0, 2, 4, 65_536])
def test_a_table_of_the_wrong_length_is_dropped(count: int) -> None:
    """A count of 0 means 65 536 (hostile inputs, case 27); the image is shown all the same."""
    attributes = header(voi=lut(0, [255, 128, 0], count))
    assert shown([0, 1, 2], attributes) == [0, 128, 255]


def test_a_table_of_65536_entries_may_say_zero() -> None:
    entries = [(65_535 - n) >> 8 for n in range(65_536)]
    assert shown([0, 65_535], header(voi=lut(0, entries, 0))) == [255, 0]


def test_functional_groups_of_the_frame_win() -> None:
    def group(width: float) -> dict[str, Any]:
        inner = header(centre=0.0, width=width)
        return {"00289132": {"vr": "SQ", "Value": [inner]}}

    attributes = {
        **header(centre=5.0, width=9.0),
        "52009229": {"vr": "SQ", "Value": [group(100.0)]},
        "52009230": {"vr": "SQ", "Value": [{}, group(200.0)]},
    }
    widths = [frame_attributes(attributes, n)["00281051"]["Value"][0] for n in range(3)]
    assert widths == [100.0, 200.0, 100.0]


def test_windows_of_requests() -> None:
    assert parse_window("-600, 1500 ,linear-exact") == Window(-600, 1500, LINEAR_EXACT)
    assert parse_window("40,400") == Window(40, 400)


@pytest.mark.parametrize(
    ("ybr", "rgb"),
    [
        ((0, 128, 128), (0, 0, 0)),
        ((255, 128, 128), (255, 255, 255)),
        ((76, 85, 255), (254, 0, 0)),
        ((150, 44, 21), (0, 255, 1)),
        ((29, 255, 107), (0, 0, 254)),
    ],
)
def test_full_range_colour(ybr: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    """PS3.3 §C.7.6.3.1.2 for black, white and the three primaries."""
    found = to_rgb(np.array([[ybr]], dtype=np.uint8), "YBR_FULL", 8)[0, 0].astype(int)
    assert np.abs(found - rgb).max() <= 1
