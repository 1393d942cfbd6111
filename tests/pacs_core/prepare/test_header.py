"""The header reader against pydicom, which shares no code with it."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ennead.errors import InputError, LimitExceeded, MalformedObject
from ennead_pacs.prepare.header import read_header
from ennead_pacs.prepare.part10 import DEPTH_LIMIT, Part10

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]


def part10(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def attributes(data: bytes) -> dict[str, Any]:
    with Part10(data) as file:
        return read_header(file, "B").attributes


def raw(elements: bytes, syntax: bytes = b"1.2.840.10008.1.2.1\0") -> bytes:
    """A Part 10 object around hand-written elements."""
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    return bytes(128) + b"DICM" + meta + elements


def rich() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.PatientName = "Nguyễn^Ánh=阮^映=Nguen^An"
    dataset.PatientComments = "dòng một\\dòng hai\n"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "AXIAL"]
    dataset.StudyDate, dataset.StudyTime = "20240131", "235959.123"
    dataset.PatientAge = "045Y"
    dataset.SliceThickness = "1.25"
    dataset.ImagePositionPatient = [-12.5, 0, 1e-7]
    dataset.InstanceNumber = -3
    dataset.PixelRepresentation = 1
    dataset.SmallestImagePixelValue = -5
    dataset.FrameIncrementPointer = [0x00181063, 0x00181065]
    dataset.Rows = 65535
    dataset.RealWorldValueSlope = 0.1
    dataset.RecommendedDisplayFrameRateInFloat = 29.5
    dataset.SimpleFrameList = [1, 2, 2**31]
    dataset.ReferencedImageSequence = Sequence([])
    inner = Dataset()
    inner.CodeValue, inner.CodeMeaning = "T-1", "phổi"
    middle = Dataset()
    middle.ConceptNameCodeSequence = Sequence([inner, Dataset(), inner])
    dataset.ContentSequence = Sequence([middle, Dataset()])
    dataset.PixelPaddingValue = -2000
    dataset.EncapsulatedDocument = b"abcd" * 3
    dataset.ICCProfile = bytes(range(200))
    dataset.add_new(0x00091001, "LO", "private")
    dataset.add_new(0x00090010, "LO", "ENNEAD TEST")
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_every_kind_of_value_reads_as_in_pydicom(syntax: str, undefined: bool) -> None:
    dataset = rich()
    dataset["ContentSequence"].is_undefined_length = undefined
    for item in dataset.ContentSequence:
        item.is_undefined_length_sequence_item = undefined
    found = attributes(part10(dataset, syntax))
    assert found.pop("00420011") == {"vr": "OB", "BulkDataURI": "B/00420011"}
    expected = dataset.to_json_dict()
    del expected["00420011"]
    if syntax == ImplicitVRLittleEndian:  # a private element's VR is not in the data
        del expected["00091001"], found["00091001"]
    assert comparable(found, private=True) == comparable(expected, private=True)


@pytest.mark.parametrize(
    ("charset", "name", "encoded"),
    [
        ("ISO_IR 100", "Müller^Jörg", "Müller^Jörg".encode("latin-1")),
        ("ISO_IR 144", "Люкceмбypг", "Люкceмбypг".encode("iso8859_5")),
        ("GB18030", "Wang^XiaoDong=王^小东", "Wang^XiaoDong=王^小东".encode("gb18030")),
        (
            "\\ISO 2022 IR 87",
            "Yamada^Tarou=山田^太郎",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
        ),
        ("ISO_IR 192", "bad\ufffdbytes", b"bad\xffbytes"),
        ("NONSENSE", "plain", b"plain"),
    ],
)
def test_character_sets(charset: str, name: str, encoded: bytes) -> None:
    def element(tag: bytes, vr: bytes, value: bytes) -> bytes:
        value += b" " * (len(value) % 2)
        return tag + vr + struct.pack("<H", len(value)) + value

    data = raw(
        element(b"\x08\x00\x05\x00", b"CS", charset.encode())
        + element(b"\x10\x00\x10\x00", b"PN", encoded)
    )
    groups = dict(zip(("Alphabetic", "Ideographic"), name.split("="), strict=False))
    assert attributes(data)["00100010"]["Value"] == [groups]


def test_numbers_that_are_none_stay_text_or_become_null() -> None:
    dataset = Dataset()
    dataset.RealWorldValueSlope = [float("nan"), float("inf"), 2.0]
    data = part10(dataset) + b"\x50\x00\x30\x10DS\x08\x00nan\\x1 \\"
    found = attributes(data)
    assert found["00409225"]["Value"] == [None, None, 2.0]
    assert found["00501030"]["Value"] == ["nan", "x1", None]


def test_unknown_of_undefined_length_is_an_implicit_sequence() -> None:
    item = struct.pack("<HHL", 0x0010, 0x0020, 4) + b"ID1 "
    sequence = (
        b"\x11\x00\x01\x10UN\x00\x00\xff\xff\xff\xff"
        + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
        + item
        + struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    )
    after = b"\x20\x00\x10\x00SH\x02\x00S1"
    found = attributes(raw(sequence + after))
    assert found["00111001"] == {
        "vr": "SQ",
        "Value": [{"00100020": {"vr": "LO", "Value": ["ID1"]}}],
    }
    assert found["00200010"]["Value"] == ["S1"]


def nested(levels: int) -> bytes:
    data = b""
    for _ in range(levels):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data
        data = b"\x40\x00\x30\xa7SQ\x00\x00" + struct.pack("<L", len(item)) + item
    return data


def nested_undefined(levels: int) -> bytes:
    head = b"\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff" + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    tail = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return head * levels + tail * levels


@pytest.mark.parametrize("write", [nested, nested_undefined])
def test_nesting_is_bounded(write: Any) -> None:
    depth, found = 0, attributes(raw(write(DEPTH_LIMIT)))
    while found:
        depth, found = depth + 1, found["0040A730"]["Value"][0]
    assert depth == DEPTH_LIMIT
    for levels in (DEPTH_LIMIT + 1, 300, 5_000):
        with pytest.raises(LimitExceeded, match="32 deep"):
            attributes(raw(write(levels)))
    with Part10(raw(nested_undefined(300))) as file, pytest.raises(LimitExceeded):
        file.elements()


@pytest.mark.parametrize(
    "elements",
    [
        b"\x10\x00\x20\x00LO\xff\x00short",
        b"\x10\x00\x20\x00OB\x00\x00\xf0\xff\xff\xff123",
        b"\x10\x00\x20\x00OB\x00\x00",
        b"\x40\x00\x30\xa7SQ\x00\x00\x0c\x00\x00\x00" + b"\x10\x00\x20\x00LO\x04\x00abcd",
        b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\x00\x00\x00\x00",
    ],
)
def test_lengths_that_do_not_fit_are_refused(elements: bytes) -> None:
    with pytest.raises(MalformedObject):
        attributes(raw(elements))


@pytest.mark.parametrize("data", [b"", b"short", bytes(200), b"x" * 132])
def test_what_is_no_part10_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    for source in (data, tmp_path / "f"):
        with pytest.raises(MalformedObject):
            Part10(source)


def test_a_deflated_bomb_stops_at_its_ratio() -> None:
    import zlib

    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(bytes(64 * 1024**2)) + packed.flush()
    with pytest.raises(LimitExceeded, match="100 times"):
        Part10(raw(bomb, b"1.2.840.10008.1.2.1.99"))


@pytest.mark.realdata
def test_real_headers_read_as_in_pydicom(test_data: Path) -> None:
    """Up to two files of every folder of real images."""
    compared = 0
    for folder in sorted({p.parent for p in test_data.glob("[!t]*/**/*") if p.is_file()}):
        for path in sorted(p for p in folder.iterdir() if p.is_file())[:2]:
            try:
                with Part10(path) as file:
                    found = read_header(file, "B").attributes
            except InputError:
                with pytest.raises(pydicom.errors.InvalidDicomError):
                    pydicom.dcmread(path)
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # real files break rules; pydicom says so
                dataset = pydicom.dcmread(path)
                if dataset.get("Modality") == "US":
                    continue  # one file there ends in a stray delimiter that pydicom refuses
                expected = dataset.to_json_dict(bulk_data_element_handler=lambda _: "B")
            assert comparable(found) == comparable(expected), path
            compared += 1
    assert compared > 20


def comparable(value: Any, private: bool = False) -> Any:
    """Leaves out what readers may tell differently: bulk data, private VRs, empty values."""
    if isinstance(value, list):
        return [comparable(v, private) for v in value]
    if not isinstance(value, dict):
        return (value.rstrip() or None) if isinstance(value, str) else value
    return {
        key: comparable(v, private)
        for key, v in value.items()
        if key not in ("FFFCFFFC", "7FE00001", "7FE00002", "BulkDataURI", "InlineBinary")
        and not (len(key) == 8 and key.endswith("0000"))
        and (private or not (len(key) == 8 and key[3] in "13579BDF"))
        and not (key == "Value" and v == [])
        and key != "7FE00010"  # OB or OW: pydicom keeps what an encapsulated object wrongly says
    }
