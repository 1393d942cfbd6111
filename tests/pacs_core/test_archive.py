"""The Archive contract over index and ingest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import Conflict, IntegrityLost, NotFound
from ennead.identifiers import InstanceUID, SeriesUID, StudyUID
from ennead.settings import Settings
from ennead_pacs.archive import LocalArchive, open_archive

Make = Callable[..., list[Path]]


@pytest.fixture
def archive(settings: Settings, database: Database) -> Iterator[LocalArchive]:
    opened = open_archive(settings, database)
    yield opened
    opened.close()


def test_it_fulfils_the_contract(archive: LocalArchive) -> None:
    assert isinstance(archive, Archive)


def test_what_goes_in_is_found_at_every_level(archive: LocalArchive, series_of: Make) -> None:
    files = series_of(3, PatientName="Lê^Hà", SeriesDescription="ngực", BodyPartExamined="CHEST")
    outcomes = [archive.store(f.read_bytes(), source="test") for f in reversed(files)]
    assert all(o.stored for o in outcomes)
    header = pydicom.dcmread(files[0], stop_before_pixels=True)

    study = archive.study(StudyUID(header.StudyInstanceUID))
    assert (study.patient_name, study.modalities) == ("Lê^Hà", ("CT",))
    assert (study.series_count, study.instance_count) == (1, 3)
    (series,) = archive.series(study.study_uid)
    assert (series.description, series.body_part, series.instance_count) == ("ngực", "CHEST", 3)
    instances = archive.instances(series.series_uid)
    assert [i.number for i in instances] == [1, 2, 3]
    assert archive.find_instance(instances[1].instance_uid) == instances[1]
    metadata = archive.metadata(series.series_uid)
    assert [m["00080018"]["Value"] for m in metadata] == [[i.instance_uid] for i in instances]
    assert metadata[2]["00200032"]["Value"] == [0.0, 0.0, 4.0]
    for instance, file in zip(instances, files, strict=True):
        assert pydicom.dcmread(archive.path(instance.instance_uid)) == pydicom.dcmread(file)
        archive.verify(instance.instance_uid)
    each = {i.instance_uid: archive.path(i.instance_uid) for i in instances}
    assert archive.paths(series.series_uid) == each
    assert archive.paths(SeriesUID("1.2.3")) == {}


def test_storing_again_is_no_change_and_other_content_a_conflict(
    archive: LocalArchive, series_of: Make
) -> None:
    (file,) = series_of(1)
    data = file.read_bytes()
    first = archive.store(data, source="test")
    again = archive.store(data, source="test")
    assert (first.stored, again.stored, again.sha256) == (True, False, first.sha256)
    with pytest.raises(Conflict):
        archive.store(data[:-2] + bytes([data[-2] ^ 1, data[-1]]), source="test")
    assert archive.path(first.instance_uid).read_bytes().endswith(data[-400:])


def test_what_is_not_there(archive: LocalArchive) -> None:
    assert archive.find_instance(InstanceUID("1.2.3")) is None
    assert archive.series(StudyUID("1.2.3")) == []
    assert archive.instances(SeriesUID("1.2.3")) == []
    assert archive.metadata(SeriesUID("1.2.3")) == []
    archive.prepare_series(SeriesUID("1.2.3"))
    for look in (archive.path, archive.verify):
        with pytest.raises(NotFound, match=r"1\.2\.3"):
            look(InstanceUID("1.2.3"))
    with pytest.raises(NotFound):
        archive.study(StudyUID("1.2.3"))


def test_lost_and_changed_files_are_not_given_out(archive: LocalArchive, series_of: Make) -> None:
    uids = [archive.store(f.read_bytes(), source="test").instance_uid for f in series_of(3)]
    flipped, shortened, gone = (archive.path(uid) for uid in uids)
    data = bytearray(flipped.read_bytes())
    data[-1] ^= 1
    for path in (flipped, shortened):
        path.chmod(0o600)
    flipped.write_bytes(data)
    shortened.write_bytes(data[:-10])
    gone.unlink()
    with pytest.raises(IntegrityLost, match="SHA-256"):
        archive.verify(uids[0])
    for uid in uids[1:]:
        with pytest.raises(IntegrityLost):
            archive.path(uid)


def test_prepared_files_are_served_without_reading_objects(
    archive: LocalArchive, series_of: Make, settings: Settings
) -> None:
    files = series_of(2)
    for file in files:
        archive.store(file.read_bytes(), source="test")
    uid = SeriesUID(pydicom.dcmread(files[0]).SeriesInstanceUID)
    archive.prepare_series(uid)
    made = sorted(p.suffix for p in (settings.home / "cache").rglob("*") if p.is_file())
    assert made == [".gz", ".jpg"]
    expected = archive.metadata(uid)
    for instance in archive.instances(uid):
        archive.path(instance.instance_uid).unlink()
    archive.prepare_series(uid)
    assert archive.metadata(uid) == expected


def test_a_header_that_cannot_be_read_is_told_from_the_index(
    archive: LocalArchive, series_of: Make
) -> None:
    files = series_of(2)
    uids = [archive.store(f.read_bytes(), source="test").instance_uid for f in files]
    archive.path(uids[0]).unlink()
    uid = SeriesUID(pydicom.dcmread(files[0]).SeriesInstanceUID)
    broken, whole = archive.metadata(uid)
    assert broken["00080018"]["Value"] == [uids[0]]
    assert "00280010" not in broken and "00280010" in whole
