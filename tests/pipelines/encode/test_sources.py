"""Patients and studies as they come from real files."""

import datetime as dt
import io
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag

from ennead.testing.results import SERIES_UID, small_grid, source_headers
from ennead_pipelines.encode import SourceSeries
from ennead_pipelines.encode.header import local_time
from ennead_pipelines.encode.sources import as_received, identity_of


def through_a_file(dataset: Dataset) -> Dataset:
    """As a reader finds it: bytes in the file's own character set."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return dcmread(io.BytesIO(buffer.getvalue()))


def rewritten(found: Dataset, like: Dataset) -> Dataset:
    found.SOPClassUID, found.SOPInstanceUID = like.SOPClassUID, like.SOPInstanceUID
    return through_a_file(found)


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", "Nguyễn^Thị Ánh"),
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Иванов^Иван"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_survive_a_change_of_character_set(charset: Any, name: str) -> None:
    header = source_headers(small_grid("single"))[0]
    header.SpecificCharacterSet = charset
    header.PatientName = name
    issuer = Dataset()
    issuer.PatientID, issuer.IssuerOfPatientID = "X-1", name.split("^")[0].split("=")[0]
    header.OtherPatientIDsSequence = [issuer]
    found = identity_of(through_a_file(header))
    assert str(found.PatientName) == name
    again = rewritten(found, header)
    assert again.SpecificCharacterSet == "ISO_IR 192"
    assert str(again.PatientName) == name
    assert again.OtherPatientIDsSequence[0].IssuerOfPatientID == issuer.IssuerOfPatientID


def test_unknown_values_are_present_and_empty() -> None:
    header = source_headers(small_grid("single"))[0]
    for keyword in ("PatientName", "PatientSex", "StudyTime", "AccessionNumber"):
        delattr(header, keyword)
    found = identity_of(header)
    for keyword in ("PatientName", "PatientSex", "StudyTime", "AccessionNumber"):
        assert keyword in found and not found[keyword].value


def test_odd_values_are_taken_as_they_are(encoded: Any) -> None:
    grid = small_grid("axial")
    with as_received():
        headers = [_with_bytes(h) for h in source_headers(grid)]
    results = encoded(grid, sources={SERIES_UID: SourceSeries(tuple(headers), grid)})
    dataset = dcmread(io.BytesIO(results.seg))
    with as_received():
        assert dataset.StudyID == "a study ID far beyond SH"
        assert b"7O kg" in results.seg
    for k, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert all(len(str(v)) <= 16 for v in position)
        expected = [-31.512345678901234, 12.25, -104.0 + 2.0 * k]
        assert [float(v) for v in position] == pytest.approx(expected, abs=1e-9)


def _with_bytes(header: Dataset) -> Dataset:
    """Values that no writer of today would let pass."""
    z = float(header.ImagePositionPatient[2])
    for keyword, vr, value in (
        ("StudyID", "SH", b"a study ID far beyond SH"),
        ("PatientWeight", "DS", b"7O kg "),
        ("ImagePositionPatient", "DS", f"-31.512345678901234567\\12.25\\{z} ".encode()),
    ):
        tag = tag_for_keyword(keyword)
        assert tag is not None
        header[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    return through_a_file(header)


def test_dates_follow_the_time_zone_of_the_source(encoded: Any) -> None:
    grid = small_grid("single")
    at = dt.datetime(2026, 1, 5, 20, 30, tzinfo=dt.UTC)
    results = encoded(grid, headers={"TimezoneOffsetFromUTC": "+0700"}, at=at)
    dataset = dcmread(io.BytesIO(results.sr))
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260106", "033000.000000")
    assert dataset.TimezoneOffsetFromUTC == "+0700"
    broken = Dataset()
    assert local_time(broken, at) == at
