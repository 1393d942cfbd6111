"""The one way in: outcomes, conflicts, refusals, and what is left on disk afterwards."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select

from ennead.database import Database
from ennead.errors import (
    Conflict,
    EnneadError,
    InvalidUID,
    LimitExceeded,
    MalformedObject,
    OutOfResources,
    UnusableObject,
)
from ennead.events import outbox
from ennead.security import Principal, audit
from ennead.security.tables import audit as audit_table
from ennead.settings import Settings
from ennead_pacs.index import find_instance, find_study, instances
from ennead_pacs.ingest import Ingest
from ennead_pacs.storage.part10 import read_meta

MakeObject = Callable[..., bytes]
PEER = Principal("CT1", "CT1", frozenset(), kind="ae", address="10.0.0.1")


def dataset_of(part10: bytes) -> bytes:
    found = read_meta(part10)
    assert found is not None
    return part10[found[1] :]


def actions(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        assert audit.verify(connection).intact
        rows = connection.execute(select(audit_table.c.action, audit_table.c.detail))
        return [(row.action, row.detail) for row in rows]


def objects(settings: Settings) -> list[Path]:
    return [p for p in settings.objects_dir.rglob("*.dcm") if p.stat().st_size]


def test_stored_bytes_row_and_event(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    data = b"MZ" + make_object(7)[2:]  # a preamble that pretends to be a program
    outcome = ingest.store(data, source="test")
    assert outcome.stored
    assert outcome.sha256 == hashlib.sha256(dataset_of(data)).hexdigest()
    with database.read() as connection:
        row = find_instance(connection, "1.2.3.1.7")
        study = find_study(connection, "1.2.3")
        events = connection.execute(select(outbox)).all()
    assert row is not None and study is not None
    content = (settings.objects_dir / row.location).read_bytes()
    assert content[:128] == bytes(128)
    assert content[row.dataset_offset :] == dataset_of(data)
    assert len(content) == row.size_bytes
    assert pydicom.dcmread(settings.objects_dir / row.location).PatientID == "P1"
    assert (row.number, row.frames, row.rows, row.columns, row.bits_allocated) == (7, 1, 8, 8, 16)
    assert study.patient_name == "Đặng^Thị Ánh"
    assert [(e.kind, e.study_uid, e.payload) for e in events] == [
        ("study.changed", "1.2.3", {"series": ["1.2.3.1"]})
    ]


@pytest.mark.parametrize("pieces", [1, 50, 4096])
def test_streaming_gives_the_same_object(
    ingest: Ingest, make_object: MakeObject, pieces: int
) -> None:
    data = make_object(1)
    writer = ingest.begin(source="test")
    for offset in range(0, len(data), pieces):
        writer.write(memoryview(data)[offset : offset + pieces])
    streamed = writer.commit(instance_uid="1.2.3.1.1")
    assert streamed.stored
    bare = dataset_of(data)
    writer = ingest.begin(source="test", transfer_syntax_uid="1.2.840.10008.1.2.1")
    writer.write(bare)
    again = writer.commit()
    assert (again.stored, again.sha256) == (False, streamed.sha256)


def test_identical_object_changes_nothing(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    first = ingest.store(make_object(1), source="test")
    second = ingest.store(make_object(1), source="test")
    assert (first.stored, second.stored) == (True, False)
    assert len(objects(settings)) == 1
    with database.read() as connection:
        assert len(connection.execute(select(outbox)).all()) == 1
        study = find_study(connection, "1.2.3")
    assert study is not None and study.instance_count == 1


def test_other_content_is_a_conflict_and_set_aside(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    first = make_object(1)
    ingest.store(first, source="test")
    other = make_object(1, PixelData=bytes(128))
    with pytest.raises(Conflict, match=r"1\.2\.3\.1\.1"):
        ingest.store(other, source="test", principal=PEER)
    with database.read() as connection:
        row = find_instance(connection, "1.2.3.1.1")
    assert row is not None
    kept = (settings.objects_dir / row.location).read_bytes()
    assert kept[row.dataset_offset :] == dataset_of(first)
    aside = list((settings.home / "quarantine").glob("*.dcm"))
    assert len(aside) == 1
    assert aside[0].read_bytes().endswith(dataset_of(other))
    assert json.loads(aside[0].with_suffix(".json").read_text())["reason"] == "ENN-0402"
    assert aside[0].stat().st_mode & 0o077 == 0
    assert [action for action, _ in actions(database)] == ["object.refused"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"SOPInstanceUID": "1.2.3/../../evil"}, InvalidUID),
        ({"SOPInstanceUID": "1." + "2" * 63}, InvalidUID),
        ({"StudyInstanceUID": "1.2\n3"}, InvalidUID),
        ({"StudyInstanceUID": None}, UnusableObject),
        ({"SeriesInstanceUID": ""}, UnusableObject),
        ({"PatientName": "x" * 1100}, UnusableObject),
        ({"Rows": 0}, UnusableObject),
        ({"Columns": None}, UnusableObject),
        ({"Rows": 9}, UnusableObject),
        ({"NumberOfFrames": 2}, UnusableObject),
        ({"NumberOfFrames": 2**31 - 1}, UnusableObject),
        ({"BitsAllocated": 12}, UnusableObject),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_unusable_objects_are_refused(
    ingest: Ingest,
    settings: Settings,
    database: Database,
    make_object: MakeObject,
    change: dict[str, object],
    error: type[EnneadError],
) -> None:
    with pytest.raises(error):
        ingest.store(make_object(1, **change), source="test", principal=PEER)
    assert objects(settings) == []
    with database.read() as connection:
        assert connection.execute(select(instances)).all() == []
    assert [action for action, _ in actions(database)] == ["object.refused"]
    outside = [p for p in settings.home.rglob("*evil*")]
    assert outside == []


def test_rows_of_another_vr_are_refused(ingest: Ingest, make_object: MakeObject) -> None:
    data = make_object(1)
    rows = b"\x28\x00\x10\x00US\x02\x00\x08\x00"
    assert rows in data
    with pytest.raises(UnusableObject, match="Rows"):
        ingest.store(data.replace(rows, b"\x28\x00\x10\x00DS\x02\x008 "), source="test")


def test_truncated_and_foreign_files(
    ingest: Ingest, settings: Settings, make_object: MakeObject
) -> None:
    data = make_object(1)
    for bad in (data[:-1], data[:-129], data[:200], data[:140], b"", b"PK\x03\x04" * 100):
        with pytest.raises(MalformedObject):
            ingest.store(bad, source="test")
    assert objects(settings) == []


def test_deflated_is_not_taken(ingest: Ingest, make_object: MakeObject) -> None:
    with pytest.raises(UnusableObject) as caught:
        ingest.begin(source="test", transfer_syntax_uid="1.2.840.10008.1.2.1.99")
    assert caught.value.details["reason"] == 0xC122


def test_size_limit(settings: Settings, database: Database, make_object: MakeObject) -> None:
    limited = settings.model_copy(
        update={"dicom": settings.dicom.model_copy(update={"object_limit_bytes": 300})}
    )
    with Ingest(limited, database) as ingest, pytest.raises(LimitExceeded, match="300"):
        ingest.store(make_object(1), source="test")
    assert objects(settings) == []


def test_a_series_has_one_study(ingest: Ingest, make_object: MakeObject) -> None:
    ingest.store(make_object(1), source="test")
    with pytest.raises(UnusableObject, match="belongs to study"):
        ingest.store(make_object(2, study="9.9"), source="test")


def test_request_must_name_the_object(ingest: Ingest, make_object: MakeObject) -> None:
    writer = ingest.begin(source="test")
    writer.write(make_object(1))
    with pytest.raises(UnusableObject, match="SOPInstanceUID"):
        writer.commit(instance_uid="1.2.3.1.2")


def test_abort_leaves_nothing(ingest: Ingest, settings: Settings, make_object: MakeObject) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        writer = ingest.begin(source="test")
        writer.write(make_object(1)[:-10])
        writer.abort()
    assert objects(settings) == []
    # One batch of open slots at most, however many writers came and went.
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 40
    assert ingest.store(make_object(1), source="test").stored


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("step", ["writev", "fdatasync"])
def test_a_failing_disk_is_out_of_resources_and_heals(
    ingest: Ingest,
    database: Database,
    make_object: MakeObject,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    step: str,
) -> None:
    ingest.store(make_object(1), source="test")  # slots exist

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OutOfResources, match=errno.errorcode[code]):
        ingest.store(make_object(2), source="test")
    monkeypatch.undo()
    with database.read() as connection:
        assert find_instance(connection, "1.2.3.1.2") is None
    assert ingest.store(make_object(2), source="test").stored


def test_an_index_that_cannot_be_written(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("alter table outbox rename to outbox_gone")
    with pytest.raises(OutOfResources):
        ingest.store(make_object(1), source="test")
    with database.begin() as connection:
        connection.exec_driver_sql("alter table outbox_gone rename to outbox")
    assert objects(settings) == []
    assert ingest.store(make_object(1), source="test").stored


def test_fifty_at_once_make_one(
    ingest: Ingest, settings: Settings, database: Database, make_object: MakeObject
) -> None:
    same, other = make_object(1), make_object(1, PixelData=bytes(128))
    results: list[str] = []

    def send(data: bytes) -> None:
        try:
            outcome = ingest.store(data, source="test")
            results.append("stored" if outcome.stored else "known")
        except Conflict:
            results.append("conflict")

    threads = [threading.Thread(target=send, args=(same if n % 2 else other,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(results)) == ["conflict", "known", "stored"]
    assert (results.count("stored"), results.count("conflict")) == (1, 25)
    assert len(objects(settings)) == 1
    with database.read() as connection:
        study = find_study(connection, "1.2.3")
    assert study is not None and (study.instance_count, study.series_count) == (1, 1)


def test_many_series_at_once_are_counted(
    ingest: Ingest, database: Database, make_object: MakeObject
) -> None:
    data = [
        make_object(n, study=f"1.{s}", series=f"1.{s}.{n % 3}")
        for s in range(4)
        for n in range(1, 13)
    ]
    threads = [
        threading.Thread(target=lambda part=data[i::8]: [ingest.store(d, source="t") for d in part])
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        for s in range(4):
            study = find_study(connection, f"1.{s}")
            assert study is not None and (study.series_count, study.instance_count) == (3, 12)
        events = connection.execute(select(outbox.c.study_uid)).scalars().all()
    assert set(events) == {f"1.{s}" for s in range(4)}


def test_repeated_refusals_are_counted_not_listed(
    settings: Settings, database: Database, make_object: MakeObject
) -> None:
    with Ingest(settings, database) as ingest:
        for _ in range(20):
            with pytest.raises(MalformedObject):
                ingest.store(make_object(1)[:-3], source="test", principal=PEER)
        assert len(actions(database)) == 1
        ingest.refusals.flush()
    records = actions(database)
    assert len(records) == 2
    assert json.loads(records[1][1])["repeated"] == 19
    assert all("Đặng" not in detail and "Ánh" not in detail for _, detail in records)
