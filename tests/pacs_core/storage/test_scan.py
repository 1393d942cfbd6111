"""The structural pre-scan: what is wrong is found, wherever the bytes are cut."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from ennead.errors import MalformedObject
from ennead_pacs.storage.part10 import read_meta
from ennead_pacs.storage.scan import DatasetScanner
from ennead_pacs.storage.transfer_syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE, transfer_syntax

UID_TAG = 0x00080018
WANTED = {UID_TAG, 0x00280010}
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
SEQUENCE = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
JPEG = "1.2.840.10008.1.2.4.70"


def scan(
    data: bytes, syntax: str = EXPLICIT_LITTLE, pieces: int | None = None, depth: int = 32
) -> DatasetScanner:
    scanner = DatasetScanner(transfer_syntax(syntax), WANTED, depth)
    step = pieces or max(len(data), 1)
    for offset in range(0, len(data), step):
        scanner.feed(memoryview(data)[offset : offset + step])
    scanner.finish()
    return scanner


def dataset_of(part10: bytes) -> bytes:
    found = read_meta(part10)
    assert found is not None
    return part10[found[1] :]


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("pieces", [1, 7, 8, 100, None])
def test_values_are_found_wherever_the_bytes_are_cut(
    make_object: Callable[..., bytes], syntax: str, pieces: int | None
) -> None:
    nested = Dataset()
    nested.ReferencedSOPInstanceUID = "1.2"
    data = dataset_of(make_object(5, syntax=syntax, ReferencedImageSequence=[nested, Dataset()]))
    found = scan(data, syntax, pieces)
    assert found.values[UID_TAG].rstrip(b"\0") == b"1.2.3.1.5"
    assert found.pixel_length == 128
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    assert struct.unpack(order + "H", found.values[0x00280010]) == (8,)


@given(cut=st.integers(min_value=1, max_value=5000))
@settings(max_examples=60, deadline=None)
def test_a_truncated_dataset_is_never_accepted(cut: int) -> None:
    dataset = Dataset()
    dataset.SOPInstanceUID = "1.2.3"
    inner = Dataset()
    inner.CodeMeaning = "x" * 40
    dataset.ReferencedImageSequence = [inner, inner]
    dataset.PixelData = bytes(400)
    dataset["PixelData"].VR = "OW"
    stream = io.BytesIO()
    pydicom.dcmwrite(
        stream, dataset, implicit_vr=False, little_endian=True, enforce_file_format=False
    )
    whole = stream.getvalue()
    scan(whole, pieces=13)
    short = whole[: -(cut % (len(whole) - 1) + 1)]
    # Only a cut exactly between two top-level elements leaves a smaller, well-formed dataset.
    boundaries = {20 - 6, len(whole) - 412}
    if len(short) not in boundaries:
        with pytest.raises(MalformedObject):
            scan(short, pieces=13)


@pytest.mark.parametrize("depth", [32, 33, 300, 50_000])
@pytest.mark.parametrize("defined", [False, True])
def test_nesting_stops_at_the_limit(depth: int, defined: bool) -> None:
    if defined:
        data = b""
        for _ in range(min(depth, 2000)):
            item = struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data
            data = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(item)) + item
    else:
        data = (SEQUENCE + ITEM) * depth + (ITEM_END + SEQUENCE_END) * depth
    if depth <= 32:
        scan(data)
    else:
        with pytest.raises(MalformedObject, match="32"):
            scan(data)


def test_implicit_sequences_of_defined_length_are_followed() -> None:
    data = b""
    for _ in range(40):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data
        data = struct.pack("<HHI", 0x0008, 0x1140, len(item)) + item
    with pytest.raises(MalformedObject, match="32"):
        scan(data, IMPLICIT_LITTLE)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 0xFFFFFFF0) + b"abc", "ends inside"),
        (element(0x0008, 0x0018, b"UI", b"1.2"), "odd length"),
        (element(0x0008, 0x0018, b"??", b"1.22"), "no VR"),
        (element(0x0002, 0x0010, b"UI", b"1.22"), "may not stand"),
        (SEQUENCE + ITEM + ITEM_END, "still open"),
        (SEQUENCE + SEQUENCE_END + ITEM_END, "may not stand"),
        (ITEM, "may not stand"),
        (
            struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 10)
            + struct.pack("<HHI", 0xFFFE, 0xE000, 40)
            + bytes(40),
            "longer than its sequence",
        ),
        (
            struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 16)
            + ITEM
            + element(0x0008, 0x0100, b"SH", b"")
            + ITEM_END,
            "not closed",
        ),
        (struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF), "undefined length"),
    ],
)
def test_broken_structures_are_named(data: bytes, why: str) -> None:
    for pieces in (None, 3):
        with pytest.raises(MalformedObject, match=why):
            scan(data, pieces=pieces)


def test_fragments() -> None:
    start = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
    table = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    fragment = struct.pack("<HHI", 0xFFFE, 0xE000, 6) + b"\xff\xd8abcd"
    found = scan(start + table + fragment + fragment + SEQUENCE_END, JPEG, pieces=5)
    assert found.encapsulated
    assert found.codestream == b"\xff\xd8abcd"
    bad = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(MalformedObject, match="fragment"):
        scan(start + table + bad, JPEG)
    with pytest.raises(MalformedObject, match="ends"):
        scan(start + table + fragment[:-2], JPEG)


@given(data=st.binary(max_size=400), pieces=st.integers(1, 50))
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_an_answer(data: bytes, pieces: int) -> None:
    for syntax in (EXPLICIT_LITTLE, IMPLICIT_LITTLE, JPEG):
        try:
            scan(data, syntax, pieces)
        except MalformedObject:
            continue
