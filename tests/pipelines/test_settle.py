"""A study becomes jobs once it is quiet, whatever is restarted in between."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from ennead import events
from ennead.contracts import Archive
from ennead.database import Database
from ennead.settings import Settings
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.settle import Settler
from ennead_pipelines.tables import series_choices, settlements, timeline

Rows = Callable[[], list[Any]]
Settle = Callable[[], None]
Send = Callable[..., str]


def test_a_study_waits_for_the_quiet_period(
    send: Send, settler: Settler, database: Database, job_rows: Rows
) -> None:
    study = send()
    settler.step()
    assert job_rows() == []
    with database.read() as connection:
        row = connection.execute(select(settlements)).one()
    assert (row.study_uid, row.settled_at) == (study, None)
    assert dt.datetime.now(dt.UTC) - row.changed_at < dt.timedelta(minutes=1)


def test_settling_survives_a_restart(
    send: Send,
    settler: Settler,
    settle: Settle,
    database: Database,
    archive: Archive,
    settings: Settings,
    catalogue: PackageCatalogue,
    job_rows: Rows,
) -> None:
    send()
    settler.step()  # taken in, and then the process dies
    del settler
    settle()
    (job,) = job_rows()
    assert (job.package, job.state, job.inputs.keys()) == ("sample", "waiting", {"ct"})
    Settler(database, archive, settings, catalogue, Preparer(archive)).step()
    assert len(job_rows()) == 1


def test_the_same_images_again_change_nothing(
    send: Send, settle: Settle, job_rows: Rows, ct_files: Any, archive: Archive
) -> None:
    send()
    settle()
    before = job_rows()
    with_same_uids = [p.read_bytes() for p in ct_files()]
    assert not any(archive.store(data, source="again").stored for data in with_same_uids)
    settle()
    assert job_rows() == before


def test_more_images_make_a_new_job_and_supersede_the_old(
    archive: Archive, ct_files: Any, settle: Settle, job_rows: Rows
) -> None:
    files = [path.read_bytes() for path in ct_files()]
    for data in files[:5]:
        archive.store(data, source="test")
    settle()
    for data in files[5:]:
        archive.store(data, source="test")
    settle()
    first, second = job_rows()
    assert (first.state, second.state) == ("superseded", "waiting")
    assert first.input_digest != second.input_digest
    assert first.reason_key == "jobs.reason.superseded"


def test_a_study_that_does_not_fit_is_refused_visibly(
    send: Send, settle: Settle, job_rows: Rows, event_kinds: Rows, database: Database
) -> None:
    send(modality="MR", BodyPartExamined="CHEST")
    settle()
    (job,) = job_rows()
    assert (job.state, job.reason_key) == ("refused", "refusal.modality")
    assert job.reason_values == {"wanted": "CT", "found": "MR"}
    assert events.JOB_CHANGED in event_kinds()
    with database.read() as connection:
        steps = connection.execute(select(timeline.c.step).order_by(timeline.c.id)).scalars()
        assert list(steps) == ["settled", "selected", "refused"]


def test_every_series_gets_its_reason(send: Send, settle: Settle, database: Database) -> None:
    study = send(seed="a", StudyInstanceUID="1.2.3")
    send(seed="b", StudyInstanceUID="1.2.3", ImageType=["DERIVED", "SECONDARY", "MPR"])
    assert study == "1.2.3"
    settle()
    with database.read() as connection:
        rows = connection.execute(select(series_choices)).all()
    assert sorted((r.state, [x["code"] for x in r.reasons]) for r in rows) == [
        ("chosen", []),
        ("refused", ["NOT_ORIGINAL"]),
    ]


def test_own_results_never_trigger(
    send: Send, settle: Settle, database: Database, archive: Archive, ct_files: Any, job_rows: Rows
) -> None:
    study = send()
    settle()
    with database.read() as connection:
        settled = connection.execute(select(settlements.c.settled_at)).scalar_one()
    result = ct_files(
        seed="r", StudyInstanceUID=study, SeriesNumber=9000, ManufacturerModelName="Ennead"
    )
    for path in result:
        archive.store(path.read_bytes(), source="pipeline:x")
    settle()
    with database.read() as connection:
        assert connection.execute(select(settlements.c.settled_at)).scalar_one() == settled
    assert len(job_rows()) == 1


def test_a_broken_study_does_not_stop_the_others(
    send: Send, settle: Settle, job_rows: Rows, archive: Archive, monkeypatch: Any
) -> None:
    broken, good = send(seed="1"), send(seed="2")
    read = archive.series

    def series(study_uid: str) -> Any:
        if study_uid == broken:
            raise RuntimeError("this study cannot be read")
        return read(study_uid)

    monkeypatch.setattr(archive, "series", series)
    settle()
    assert [job.study_uid for job in job_rows()] == [good]
    monkeypatch.undo()
    settle()
    assert {job.study_uid for job in job_rows()} == {good, broken}
