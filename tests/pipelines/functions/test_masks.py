"""A stored segment read back, whatever its encoding, and edited by strokes or replaced."""

import base64
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.errors import InputError, NotFound, UnusableObject
from ennead.findings import Segment
from ennead.testing.results import (
    SERIES_UID,
    STUDY_UID,
    example_results,
    small_grid,
    source_headers,
)
from ennead_pipelines.encode.read_seg import read_segment, referenced_series
from ennead_pipelines.functions.masks import edited_mask
from ennead_pipelines.functions.requests import pack, unpack
from ennead_pipelines.functions.values import EditedMask


@pytest.fixture(params=["labelmap", "binary"])
def stored(request: Any, encoded: Callable[..., Any], tmp_path: Path) -> Any:
    """A segmentation on an oblique grid: its file, its segments, and the volume it lies over."""
    grid = small_grid("oblique")
    results = encoded(grid, encoding=request.param)
    path = tmp_path / "seg.dcm"
    path.write_bytes(results.seg)
    uids = tuple(str(d.SOPInstanceUID) for d in source_headers(grid))
    values = np.zeros(grid.shape, dtype=np.float32)
    volume = Volume(values, grid, STUDY_UID, SERIES_UID, "CT", uids, {})  # type: ignore[arg-type]
    segments = [r for r in example_results(grid) if isinstance(r, Segment)]
    return path, segments, volume


def test_every_segment_comes_back_on_its_images(stored: Any) -> None:
    path, segments, volume = stored
    assert referenced_series(path) == SERIES_UID
    for number, segment in enumerate(segments, 1):
        found = read_segment(path, number, volume.instance_uids, volume.grid.shape)
        assert np.array_equal(found.mask, segment.mask)
        assert found.label == segment.label
        assert found.tracking_uid.startswith("2.25.")
    turned = read_segment(path, 1, volume.instance_uids[::-1], volume.grid.shape)
    assert np.array_equal(turned.mask[::-1], segments[0].mask)


def test_what_is_not_there_or_lies_elsewhere_is_refused(stored: Any) -> None:
    path, segments, volume = stored
    shape, uids = volume.grid.shape, volume.instance_uids
    for number in (0, len(segments) + 1):
        with pytest.raises(NotFound, match="no segment"):
            read_segment(path, number, uids, shape)
    with pytest.raises(UnusableObject, match="not in the series"):
        read_segment(path, 1, uids[:-1], (shape[0] - 1, *shape[1:]))
    with pytest.raises(UnusableObject, match="pixels"):
        read_segment(path, 1, uids, (shape[0], 9, 9))
    (path.parent / "text.dcm").write_text("no DICOM")
    with pytest.raises(UnusableObject):
        referenced_series(path.parent / "text.dcm")


def bits(plane: np.ndarray) -> str:
    packed = np.packbits(plane.reshape(-1), bitorder="little").tobytes()
    return base64.b64encode(zlib.compress(packed)).decode()


def test_a_replacement_comes_first_and_strokes_follow_in_order(stored: Any) -> None:
    path, _, volume = stored
    plane = np.zeros(volume.grid.shape[1:], dtype=bool)
    plane[4:9, 3:7] = True

    def square(y: float, x: float, size: float) -> list[Any]:
        corners = ((y, x), (y, x + size), (y + size, x + size), (y + size, x))
        return [tuple(float(v) for v in volume.grid.to_patient((2, *corner))) for corner in corners]

    def stroke(action: str, y: float, x: float, size: float) -> dict[str, Any]:
        uid = volume.instance_uids[2]
        return {"action": action, "instance_uid": uid, "points_mm": square(y, x, size)}

    value = EditedMask.model_validate(
        {
            "seg_instance_uid": "1.2",
            "segment_number": 1,
            "replacement": [{"instance_uid": volume.instance_uids[5], "bits": bits(plane)}],
            "strokes": [stroke("paint", 9.5, 9.5, 4), stroke("erase", 9.5, 9.5, 2)],
        }
    )
    edit = edited_mask(value, path, volume)
    assert np.array_equal(edit.mask[5], plane)
    assert [int(p.sum()) for p in edit.mask] == [0, 0, 16 - 4, 0, 0, 20, 0]
    assert edit.before.any()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("no base64!", "cannot be read"),
        (base64.b64encode(b"no zlib").decode(), "cannot be read"),
        (base64.b64encode(zlib.compress(b"\x01")).decode(), "1 bytes"),
        (base64.b64encode(zlib.compress(bytes(10**7))).decode(), "more"),
    ],
)
def test_a_replacement_that_cannot_be_read_is_told(stored: Any, said: str, why: str) -> None:
    path, _, volume = stored
    value = EditedMask.model_validate(
        {
            "seg_instance_uid": "1.2",
            "segment_number": 1,
            "replacement": [{"instance_uid": volume.instance_uids[0], "bits": said}],
        }
    )
    with pytest.raises(InputError, match=why):
        edited_mask(value, path, volume)


def test_a_segment_travels_packed(stored: Any) -> None:
    _, segments, _ = stored
    for segment in segments:
        again = unpack(pack(segment))
        assert isinstance(again, Segment)
        assert np.array_equal(again.mask, segment.mask)
        assert (again.id, again.label, again.laterality) == (
            segment.id,
            segment.label,
            segment.laterality,
        )
