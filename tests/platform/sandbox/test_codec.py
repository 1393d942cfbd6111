"""Contracts survive the way through the sandbox's language, and nothing else gets through it."""

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ennead import codes
from ennead.codes import sct
from ennead.contracts import Anatomy, ClinicalFact, RunContext, Volume
from ennead.errors import ContractError
from ennead.findings import Finding, Map, Measurement, Refusal, RefusalCode, Result, Segment
from ennead.geometry import Grid
from ennead.sandbox import codec

GRID = Grid((2, 3, 4), (0, 0, 0), ((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1.0, 0.1, 1 / 3), "1.2")


def through(value: Any, hint: Any) -> Any:
    message = bytearray(b"".join(codec.encode(value).parts()))
    return codec.decode_message(hint, message)


def test_results_come_back_equal() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[1, 2, 3] = True
    lung = sct("39607008", "Lung")
    value = 0.1 + 0.2
    finding = Finding(
        "f-1",
        "Phổi",
        lung,
        codes.ANATOMICAL_STRUCTURE,
        "1.2.3",  # type: ignore[arg-type]
        measurements=(Measurement("v", codes.VOLUME, np.float64(value), codes.CUBIC_CENTIMETRE),),
        segment_ids=("s",),
        urgent=True,
    )
    refusal = Refusal(RefusalCode.PHASE, "v", "k", {"a": 1, "b": 1.5, "c": "x"})
    segment = Segment("s", "S", mask, GRID, "1.2.3", lung, lung)  # type: ignore[arg-type]
    floats = np.linspace(-1, 1, 24, dtype=np.float32).reshape(GRID.shape)
    quantity = Map("m", "M", floats, GRID, "1.2.3", lung, codes.PERCENT)  # type: ignore[arg-type]
    found = through([finding, refusal, segment, quantity], tuple[Result, ...])
    assert found[:2] == (finding, refusal)
    assert found[0].measurements[0].value == value
    assert isinstance(found[1].values["a"], int)
    np.testing.assert_array_equal(found[2].mask, mask)
    np.testing.assert_array_equal(found[3].values, floats)
    assert (found[2].grid, found[3].grid) == (GRID, GRID)


def test_a_context_comes_back_equal_but_for_its_functions() -> None:
    values = np.arange(24, dtype=np.float32).reshape(GRID.shape)
    volume = Volume(values, GRID, "1", "1.2", "CT", ("1.2.1",), {"00080060": {"vr": "CS"}})  # type: ignore[arg-type]
    at = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    labels = np.ones(GRID.shape, dtype=np.uint8)
    context = RunContext(
        volumes={"ct": volume},
        thresholds={"t": 0.1},
        clinical=(ClinicalFact("age", "61", "a", "RIS", at),),
        progress=lambda *_: None,
        declined=frozenset({"b", "a"}),
        anatomy={"ct": Anatomy(labels, {"body": (1,)}, "classical", "1")},
    )
    found = through(context, RunContext)
    assert (found.thresholds, found.declined) == (context.thresholds, context.declined)
    assert tuple(found.clinical) == tuple(context.clinical)
    np.testing.assert_array_equal(found.volumes["ct"].values, values)
    assert found.volumes["ct"].attributes == volume.attributes
    np.testing.assert_array_equal(found.anatomy["ct"].labels, labels)
    assert found.anatomy["ct"].structures == {"body": (1,)}
    found.progress(0.5, "nobody hears it")


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)))
def test_masks_of_any_shape(mask: Any) -> None:
    found = through(mask, np.ndarray)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask)


def message(value: Any, arrays: Any = (), body: bytes = b"") -> bytearray:
    head = json.dumps({"value": value, "arrays": list(arrays)}).encode()
    padding = bytes(codec.padded(len(head)) - len(head))
    return bytearray(len(head).to_bytes(8, "little") + head + padding + body)


@pytest.mark.parametrize(
    "value",
    [
        [{"$": "Path", "value": "/etc/passwd"}],
        [{"$": "Refusal", "code": "PHASE", "subject": "", "text_key": 7}],
        [{"$": "Refusal", "code": "NO_SUCH", "subject": "", "text_key": "k"}],
        [{"$": "Refusal", "code": "PHASE", "subject": "", "text_key": "k", "more": 1}],
        [{"$": "Refusal", "code": "PHASE", "subject": "x" * 100_001, "text_key": "k"}],
        [{"$": "Finding", "id": "f"}],
        {"$": "Refusal"},
        [None],
        "text",
    ],
)
def test_what_is_no_result_is_not_read(value: Any) -> None:
    with pytest.raises(ContractError):
        codec.decode_message(tuple[Result, ...], message(value))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "<f4", "shape": [2**40], "at": 0},
        {"dtype": "<f4", "shape": [4], "at": 8},
        {"dtype": "<f4", "shape": [4], "at": -8},
        {"dtype": "<f4", "shape": [-4], "at": 0},
        {"dtype": "|O", "shape": [1], "at": 0},
        {"dtype": "bits", "shape": [129], "at": 0},
        {"dtype": "<f4", "shape": "4", "at": 0},
        {},
    ],
)
def test_an_array_lies_inside_what_came(entry: Any) -> None:
    with pytest.raises(ContractError):
        codec.decode_message(np.ndarray, message({"$array": 0}, [entry], bytes(16)))


@given(st.binary(max_size=200))
def test_noise_is_an_error_of_ours(noise: bytes) -> None:
    with pytest.raises(ContractError):
        codec.decode_message(tuple[Result, ...], bytearray(noise))


def test_numbers_that_are_none() -> None:
    with pytest.raises(ContractError):
        codec.decode_message(float, bytearray(message(0.5).replace(b"0.5", b"NaN")))
    with pytest.raises(ContractError):
        codec.decode_message(float, message(10**400))
