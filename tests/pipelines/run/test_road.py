"""From a stored series to a stored SEG and SR, on a real Ray; and every way a package fails."""

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from sqlalchemy import select, update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM
from ennead.security.audit import verify
from ennead_pipelines.run.dispatch import Dispatcher
from ennead_pipelines.site.thresholds import set_thresholds
from ennead_pipelines.tables import findings, job_refusals, jobs, study_states, timeline

pytestmark = pytest.mark.slow

Send = Callable[..., str]
Settle = Callable[[], None]
Finish = Callable[[], Any]


def refusals(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        rows = connection.execute(select(job_refusals).order_by(job_refusals.c.id)).all()
    return [(row.stage, row.code, row.subject) for row in rows]


def result_series(archive: Archive, study: str) -> list[Any]:
    return [s for s in archive.series(study) if (s.number or 0) >= 9000]  # type: ignore[arg-type]


def test_the_whole_road(
    send: Send, settle: Settle, finish: Finish, archive: Archive, database: Database
) -> None:
    study = send()
    settle()
    job = finish()
    assert (job.state, job.fraction, job.attempts) == ("done", 1.0, 1)
    found = result_series(archive, study)
    assert [(s.modality, s.instance_count) for s in found] == [("SEG", 1), ("SR", 1)]
    sr = dcmread(archive.path(job.sr_instance_uid))
    assert sr.VerificationFlag == "UNVERIFIED"
    seg = dcmread(archive.path(job.seg_instance_uid))
    # Label map, every slice: the box of 3 × 5 × 4 voxels is where it was put.
    assert int((seg.pixel_array > 0).sum()) == 60
    assert (seg.pixel_array[2:5, 1:6, 2:6] > 0).all()
    with database.read() as connection:
        (finding,) = connection.execute(select(findings)).all()
        state = connection.execute(select(study_states)).one()
        steps = list(connection.execute(select(timeline.c.step).order_by(timeline.c.id)).scalars())
        verify(connection)
    values = {m["id"]: m["value"] for m in finding.document["measurements"]}
    assert values["volume"] == pytest.approx(60 * 2.0 * 1.5 * 1.25 / 1000, rel=1e-6)
    assert values["mean_hu"] == pytest.approx(100.0, abs=0.5)
    assert (state.state, state.findings, state.urgent) == ("ready", 1, False)
    assert steps[-4:] == ["started", "loaded", "measured", "stored"]


def test_the_sites_threshold_is_what_the_run_used_and_what_the_report_says(
    send: Send,
    settle: Settle,
    finish: Finish,
    archive: Archive,
    database: Database,
    sample: DiscoveredPackage,
) -> None:
    assert sample.manifest is not None
    with database.begin() as connection:
        set_thresholds(connection, sample.manifest, {"bright_hu": 60.5}, SYSTEM)
    send()
    settle()
    with database.begin() as connection:
        # A change after the job was made is for later studies.
        set_thresholds(connection, sample.manifest, {"bright_hu": 199.0}, SYSTEM)
    job = finish()
    assert (job.state, job.thresholds) == ("done", {"bright_hu": 60.5})
    sr = dcmread(archive.path(job.sr_instance_uid))
    said = [e.value for e in sr.iterall() if e.keyword == "TextValue"]
    assert [text for text in said if "threshold.bright_hu" in text] == ["threshold.bright_hu=60.5"]


def test_running_again_stores_nothing_new(
    send: Send, settle: Settle, finish: Finish, archive: Archive, database: Database
) -> None:
    study = send()
    settle()
    first = finish()
    before = archive.path(first.sr_instance_uid).read_bytes()
    with database.begin() as connection:  # as after a crash between storing and its record
        connection.execute(update(jobs).values(state="waiting"))
    second = finish()
    assert second.state == "done"
    assert archive.path(second.sr_instance_uid).read_bytes() == before
    assert [s.instance_count for s in result_series(archive, study)] == [1, 1]
    with database.read() as connection:
        assert len(connection.execute(select(findings)).all()) == 1


def test_another_content_under_the_same_identity_is_not_stored(
    send: Send, settle: Settle, finish: Finish, archive: Archive, database: Database
) -> None:
    study = send(SeriesDescription="random")
    settle()
    first = finish()
    before = archive.path(first.sr_instance_uid).read_bytes()
    with database.begin() as connection:
        connection.execute(update(jobs).values(state="waiting"))
    second = finish()
    assert (second.state, second.reason_key) == ("failed", "jobs.reason.not_reproducible")
    assert archive.path(first.sr_instance_uid).read_bytes() == before
    assert [s.instance_count for s in result_series(archive, study)] == [1, 1]


@pytest.mark.parametrize(
    ("how", "detail"),
    [
        ("raise", "jobs.detail.error"),
        ("crash", "jobs.detail.worker_lost"),
        ("undeclared", "jobs.detail.contract"),
        ("slow", "jobs.detail.timeout"),
    ],
)
def test_a_failing_package_is_tried_again_and_then_given_up(
    how: str, detail: str, send: Send, settle: Settle, finish: Finish, database: Database
) -> None:
    send(SeriesDescription=how)
    settle()
    job = finish()
    assert (job.state, job.attempts, job.reason_key) == ("failed", 2, "jobs.reason.failed")
    assert job.reason_values["detail"] == detail
    assert refusals(database) == [("run", "FAILED", "")]
    with database.read() as connection:
        keys = list(connection.execute(select(timeline.c.text_key)).scalars())
    assert keys.count("timeline.retrying") == 1
    assert keys[-1] == "timeline.failed"


def test_a_package_that_declines_everything(
    send: Send, settle: Settle, finish: Finish, archive: Archive, database: Database
) -> None:
    study = send(SeriesDescription="decline")
    settle()
    job = finish()
    assert (job.state, job.reason_key) == ("refused", "refusal.nothing")
    assert refusals(database) == [("run", "NOT_FOUND", "")]
    assert result_series(archive, study) == []


def test_a_declined_output_is_dropped_and_the_rest_runs(
    send: Send, settle: Settle, finish: Finish, archive: Archive, database: Database
) -> None:
    send(KVP=80)
    settle()
    job = finish()
    assert job.state == "done"
    assert refusals(database) == [("select", "TECHNIQUE", "mean_hu")]
    with database.read() as connection:
        document = connection.execute(select(findings.c.document)).scalar_one()
    assert [m["id"] for m in document["measurements"]] == ["volume"]
    sr = archive.path(job.sr_instance_uid).read_bytes()
    assert b"Attenuation Coefficient" not in sr
    assert dcmread(io.BytesIO(sr)).SOPInstanceUID == job.sr_instance_uid


def test_undecodable_pixels_are_a_refusal(
    archive: Archive, ct_files: Any, settle: Settle, finish: Finish, database: Database
) -> None:
    for path in ct_files():
        dataset = dcmread(path)
        dataset.PixelData = encapsulate([b"this is no JPEG 2000 code stream"])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.save_as(path, enforce_file_format=True)
        archive.store(path.read_bytes(), source="test")
    settle()
    job = finish()
    assert (job.state, job.reason_key) == ("refused", "refusal.undecodable")
    assert refusals(database) == [("run", "UNDECODABLE", "")]


def test_new_images_during_a_run_make_it_wait_for_the_new_job(
    archive: Archive, ct_files: Any, settle: Settle, dispatcher: Dispatcher, finish: Finish
) -> None:
    files = [path.read_bytes() for path in ct_files()]
    for data in files[:6]:
        archive.store(data, source="test")
    settle()
    for data in files[6:]:
        archive.store(data, source="test")
    dispatcher.step(0.05)  # the job's series are not what it was made for
    settle()
    job = finish()
    assert job.state == "done"
    study = archive.find_instance(job.sr_instance_uid)
    assert study is not None
    assert [s.instance_count for s in result_series(archive, study.study_uid)] == [1, 1]


def test_a_series_is_decoded_once_for_two_jobs(
    send: Send, settle: Settle, finish: Finish, database: Database
) -> None:
    send()
    settle()
    finish()
    with database.begin() as connection:
        connection.execute(update(jobs).values(state="waiting"))
    finish()
    with database.read() as connection:
        keys = list(connection.execute(select(timeline.c.text_key)).scalars())
    assert "timeline.loaded" in keys
    assert "timeline.shared" in keys


def test_workers_stay_warm(send: Send, settle: Settle, finish: Finish) -> None:
    import ray

    from ennead_pipelines.run.tasks import warm_task

    processes = set(ray.get([warm_task.remote() for _ in range(2)]))
    send()
    settle()
    finish()
    assert processes & set(ray.get([warm_task.remote() for _ in range(2)]))
    assert os.getpid() not in processes
