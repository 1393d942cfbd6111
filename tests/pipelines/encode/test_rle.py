"""The run-length writer against two decoders it shares no code with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rle.rle import decode_frame

from ennead_pipelines.encode.rle import encode_frames

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 300))


def decode(frame: bytes, shape: tuple[int, int], dtype: type) -> np.ndarray:
    bits = np.dtype(dtype).itemsize * 8
    return np.frombuffer(decode_frame(frame, shape[0] * shape[1], bits, "<"), dtype).reshape(shape)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), dtype=st.sampled_from([np.uint8, np.uint16]))
def test_any_labels_come_back(data: st.DataObject, dtype: type) -> None:
    shape = data.draw(SHAPES)
    top = 3 if data.draw(st.booleans()) else int(np.iinfo(dtype).max)
    labels = data.draw(arrays(dtype, shape, elements=st.integers(0, top)))
    frames = encode_frames(labels)
    assert len(frames) == shape[0]
    for frame, expected in zip(frames, labels, strict=True):
        assert len(frame) % 2 == 0
        np.testing.assert_array_equal(decode(frame, shape[1:], dtype), expected)


@pytest.mark.parametrize("columns", [1, 2, 127, 128, 129, 256, 257])
def test_runs_at_the_limit_of_a_run(columns: int) -> None:
    labels = np.full((2, 3, columns), 7, dtype=np.uint8)
    for frame, expected in zip(encode_frames(labels), labels, strict=True):
        np.testing.assert_array_equal(decode(frame, (3, columns), np.uint8), expected)


def test_empty_slices_are_nearly_free() -> None:
    frames = encode_frames(np.zeros((4, 512, 512), dtype=np.uint8))
    assert all(len(f) == 64 + 512 * 4 * 2 for f in frames)


def test_chunks_join(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(3).integers(0, 3, (9, 20, 30)).astype(np.uint8)
    whole = encode_frames(labels)
    monkeypatch.setattr("ennead_pipelines.encode.rle._CHUNK_VOXELS", 1300)
    assert encode_frames(labels) == whole
