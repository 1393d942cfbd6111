"""Rules and thresholds when a study settles: what runs, how soon, with which numbers, why not."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.identifiers import StudyUID
from ennead.plugins import DiscoveredPackage
from ennead.security import SYSTEM
from ennead.settings import Settings
from ennead_pacs.index import recent_sources, series_sources
from ennead_pipelines.jobs.identity import parameters_digest
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.render import render
from ennead_pipelines.settle import Settler
from ennead_pipelines.site.thresholds import set_thresholds
from ennead_pipelines.tables import findings, job_refusals, jobs, settlements, timeline

Rows = Callable[[], list[Any]]
Settle = Callable[[], None]
Arrive = Callable[..., str]
Put = Callable[..., int]

SKIP = {"name": "Không chạy ban đêm", "note": "chờ thẩm định", "action": {"run": False}}


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.execute(select(timeline).order_by(timeline.c.id)).all()
    return [render(row.text_key, "vi", row.text_values) for row in rows]


def test_without_a_rule_a_package_runs_as_routine(
    arrive: Arrive, settle: Settle, job_rows: Rows
) -> None:
    arrive("dimse:CT1@10.0.0.5")
    settle()
    (job,) = job_rows()
    assert (job.state, job.priority, job.rule, job.lane) == ("waiting", 50, "", "active")
    assert job.thresholds == {"bright_hu": 50.0}
    assert job.not_before <= dt.datetime.now(dt.UTC)


def test_the_source_of_a_series_is_known_from_the_index(
    arrive: Arrive, archive: Archive, database: Database
) -> None:
    study = arrive("dimse:CT1@10.0.0.5")
    (record,) = archive.series(StudyUID(study))
    with database.read() as connection:
        assert series_sources(connection, study) == {record.series_uid: "dimse:CT1@10.0.0.5"}
        assert list(recent_sources(connection)) == ["dimse:CT1@10.0.0.5"]
        assert series_sources(connection, "1.2.3.4") == {}


def test_a_rule_keeps_a_package_from_running_and_says_so(
    arrive: Arrive, settle: Settle, job_rows: Rows, put_rules: Put, database: Database
) -> None:
    put_rules({**SKIP, "condition": {"source": ["dimse:CT1"]}})
    arrive("dimse:CT1@10.0.0.5", "1")
    other = arrive("dimse:CT2@10.0.0.6", "2")
    settle()
    by_study = {job.study_uid: job for job in job_rows()}
    assert by_study.pop(other).state == "waiting"
    (job,) = by_study.values()
    assert (job.state, job.rule, job.inputs) == ("refused", "Không chạy ban đêm", {})
    said = render(job.reason_key, "vi", job.reason_values)
    assert said == (
        "Quy tắc “Không chạy ban đêm” của bệnh viện: không chạy gói này (chờ thẩm định)."
    )
    with database.read() as connection:
        assert connection.execute(select(job_refusals.c.code)).scalars().all() == ["SITE_RULE"]
    assert f"Mẫu thử không chạy. {said}" in notes(database)


def test_the_first_rule_that_holds_decides_and_one_that_is_off_does_not(
    arrive: Arrive, settle: Settle, job_rows: Rows, put_rules: Put, database: Database
) -> None:
    put_rules(
        {**SKIP, "name": "off", "enabled": False},
        {**SKIP, "name": "MR only", "condition": {"modality": ["MR"]}},
        {"name": "first", "action": {"priority": "stat"}},
        {**SKIP, "name": "last"},
    )
    arrive("stow:gateway")
    settle()
    (job,) = job_rows()
    assert (job.state, job.priority, job.rule) == ("waiting", 10, "first")
    told = "Quy tắc “first” của bệnh viện áp dụng cho Mẫu thử: chạy, ưu tiên khẩn."
    assert told in notes(database)


def test_off_peak_waits_for_its_window(
    arrive: Arrive, settle: Settle, job_rows: Rows, put_rules: Put, settings: Settings
) -> None:
    begins = dt.datetime.now(settings.portal.zone) + dt.timedelta(hours=2)
    ends = begins + dt.timedelta(hours=1)
    window = {"from": f"{begins:%H:%M}", "to": f"{ends:%H:%M}"}
    put_rules({"name": "night", "action": {"priority": "off-peak", "window": window}})
    arrive("stow:gateway")
    settle()
    (job,) = job_rows()
    assert (job.state, job.priority) == ("waiting", 90)
    assert job.not_before == begins.replace(second=0, microsecond=0)


def test_a_request_marked_stat_goes_first_whatever_the_rule_says(
    arrive: Arrive,
    put_rules: Put,
    job_rows: Rows,
    database: Database,
    archive: Archive,
    settings: Settings,
    catalogue: PackageCatalogue,
) -> None:
    class Urgent:
        def facts(self, study_uid: StudyUID) -> list[Any]:
            return []

        def is_urgent(self, study_uid: StudyUID) -> bool:
            return True

    window = {"from": "02:00", "to": "02:01"}
    put_rules({"name": "night", "action": {"priority": "off-peak", "window": window}})
    arrive("stow:gateway")
    settler = Settler(database, archive, settings, catalogue, Preparer(archive), Urgent())
    settler.step()
    with database.begin() as connection:
        long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        connection.execute(update(settlements).values(changed_at=long_ago))
    settler.step()
    (job,) = job_rows()
    assert job.priority == 10
    assert job.not_before <= dt.datetime.now(dt.UTC)


def test_thresholds_of_site_and_rule_enter_the_identity(
    arrive: Arrive,
    settle: Settle,
    job_rows: Rows,
    put_rules: Put,
    database: Database,
    sample: DiscoveredPackage,
) -> None:
    assert sample.manifest is not None
    with database.begin() as connection:
        set_thresholds(connection, sample.manifest, {"bright_hu": 60}, SYSTEM)
    put_rules(
        {
            "name": "low dose",
            "condition": {"package": ["sample"], "source": ["dimse:LD"]},
            "action": {"thresholds": {"bright_hu": 70.5}},
        }
    )
    arrive("dimse:CT1@a", "1")
    arrive("dimse:LD@a", "2")
    settle()
    first, second = sorted(job_rows(), key=lambda job: job.rule)
    assert (first.thresholds, second.thresholds) == ({"bright_hu": 60.0}, {"bright_hu": 70.5})
    assert first.parameters_digest == parameters_digest({"bright_hu": 60.0})
    assert second.parameters_digest == parameters_digest({"bright_hu": 70.5})


def test_a_threshold_that_a_new_version_forbids_is_not_used_silently(
    arrive: Arrive, settle: Settle, job_rows: Rows, database: Database, sample: DiscoveredPackage
) -> None:
    assert sample.manifest is not None
    rule = sample.manifest.threshold[0]
    wider = sample.manifest.model_copy(
        update={"threshold": [rule.model_copy(update={"site_bounds": (0.0, 500.0)})]}
    )
    with database.begin() as connection:
        set_thresholds(connection, wider, {"bright_hu": 400}, SYSTEM)
    arrive("dimse:CT1@a")
    settle()
    (job,) = job_rows()
    assert (job.state, job.reason_key) == ("refused", "rules.reason.outside_bounds")
    said = render(job.reason_key, "en", job.reason_values)
    assert "“bright_hu” is 400, outside 0–200, which version 1.0.0 allows" in said


def test_a_package_that_does_not_fit_says_its_own_reason(
    arrive: Arrive, settle: Settle, job_rows: Rows, put_rules: Put
) -> None:
    put_rules(SKIP)
    arrive("dimse:CT1@a", modality="MR")
    settle()
    (job,) = job_rows()
    assert (job.reason_key, job.rule) == ("refusal.modality", "")


@pytest.fixture
def again(database: Database, settle: Settle) -> Callable[[], None]:
    """Settle every study once more."""

    def run() -> None:
        with database.begin() as connection:
            connection.execute(update(settlements).values(settled_at=None))
        settle()

    return run


def test_rules_that_change_make_other_jobs_and_the_same_rules_none(
    arrive: Arrive, settle: Settle, again: Settle, job_rows: Rows, put_rules: Put
) -> None:
    put_rules(SKIP)
    arrive("dimse:CT1@a")
    settle()
    again()
    assert [job.state for job in job_rows()] == ["refused"]
    put_rules({**SKIP, "note": "another reason"})
    again()
    assert sorted(job.state for job in job_rows()) == ["refused", "superseded"]
    put_rules()
    again()
    assert sorted(job.state for job in job_rows()) == ["superseded", "superseded", "waiting"]
    put_rules(SKIP)
    again()
    # The first refusal is back; nothing was made a second time.
    found = sorted((job.state, job.reason_values.get("note", "")) for job in job_rows())
    assert found == [("refused", "chờ thẩm định"), ("superseded", ""), ("superseded", "")]


def test_a_rule_leaves_a_finished_result_of_the_same_images_alone(
    arrive: Arrive,
    settle: Settle,
    again: Settle,
    job_rows: Rows,
    put_rules: Put,
    database: Database,
) -> None:
    arrive("dimse:CT1@a")
    settle()
    with database.begin() as connection:
        connection.execute(update(jobs).values(state="done", sr_instance_uid="1.2"))
    put_rules(SKIP)
    again()
    (job,) = job_rows()
    assert job.state == "done"
    with database.read() as connection:
        assert not connection.execute(select(findings).where(findings.c.hidden.is_(True))).all()
