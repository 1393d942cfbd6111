"""The queue's picture, cancelling, repeating, and who may."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update

from ennead.database import Database
from ennead.security import Role
from ennead.security.tables import audit
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.jobs.external import external_owner
from ennead_pipelines.jobs.overview import quantile
from ennead_pipelines.tables import jobs, timeline

Measured = Callable[..., str]
ClientOf = Callable[..., TestClient]

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def made(database: Database) -> Callable[..., str]:
    """Write a job row; keyword arguments replace columns."""
    numbers = iter(range(1000))

    def make(**values: Any) -> str:
        number = next(numbers)
        row = {
            "id": f"{number:032x}",
            "study_uid": f"1.2.{number}",
            "package": "sample",
            "version": "1.0.0",
            "manifest_digest": "m",
            "input_digest": "i",
            "parameters_digest": "p",
            "title": {"vi": "Mẫu thử", "en": "Sample"},
            "inputs": {},
            "state": "waiting",
            "not_before": NOW - dt.timedelta(seconds=10),
            "created_at": NOW - dt.timedelta(seconds=10),
            "updated_at": NOW,
            "reason_values": {},
        }
        with database.begin() as connection:
            connection.execute(insert(jobs).values(**row | values))
        return f"{number:032x}"

    return make


def test_waiting_jobs_are_listed_in_the_order_of_their_turns(
    client: TestClient, made: Callable[..., str]
) -> None:
    routine = made()
    late = made(not_before=NOW + dt.timedelta(hours=1))
    stat = made(priority=10, created_at=NOW, not_before=NOW - dt.timedelta(seconds=1))
    night = made(priority=90)
    queue = client.get("/api/v1/queue?lang=en").json()
    assert [(e["id"], e["position"]) for e in queue["waiting"]] == [
        (stat, 1),
        (routine, 2),
        (night, 3),
        (late, 4),
    ]
    assert queue["counts"] == {"running": 0, "waiting": 4, "delayed": 1, "claimed": 0}
    assert [(p["name"], p["waiting"]) for p in queue["by_priority"]] == [
        ("stat", 1),
        ("routine", 2),
        ("off-peak", 1),
    ]
    assert queue["by_priority"][1]["oldest_s"] >= 10
    first = queue["waiting"][0]
    assert (first["priority_title"], first["state_title"]) == ("stat", "Waiting")
    assert first["study"] is None  # its study is gone


def test_figures_of_what_ended(client: TestClient, made: Callable[..., str]) -> None:
    def ended(ago_s: float, state: str = "done", **durations: float) -> None:
        at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago_s)
        made(state=state, finished_at=at, started_at=at, durations=durations)

    for seconds in range(1, 21):
        ended(300, measure=float(seconds), total=2.0 * seconds)
    ended(5, "failed", wait=1.0)
    ended(7200, "refused")
    ended(90_000)  # more than a day ago
    queue = client.get("/api/v1/queue?ended=3").json()
    assert [e["state"] for e in queue["ended"]] == ["failed", "done", "done"]
    rates = queue["rates"]
    assert rates["last_hour"] == {
        "done": 20,
        "refused": 0,
        "failed": 1,
        "cancelled": 0,
        "studies": 20,
    }
    assert rates["per_hour"] == pytest.approx(21 * 12, rel=0.05)  # 21 ends in five minutes
    assert len(rates["hours"]) == 24
    assert sum(hour["done"] + hour["refused"] for hour in rates["hours"]) == 21
    stages = {d["stage"]: d for d in queue["durations"]}
    assert list(stages) == ["wait", "measure", "total"]
    assert (stages["measure"]["p50_s"], stages["measure"]["p95_s"]) == (10.0, 19.0)
    assert stages["total"]["jobs"] == 20


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 1.0), (0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (1.0, 4.0)]
)
def test_nearest_rank(fraction: float, expected: float) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], fraction) == expected


def test_a_waiting_job_is_cancelled_by_those_who_may(
    client_of: ClientOf, send: Measured, settle: Callable[[], None], database: Database
) -> None:
    study = send()
    settle()
    reader, technologist = client_of(), client_of(Role.TECHNOLOGIST, "ktv.binh")
    (job,) = reader.get("/api/v1/queue").json()["waiting"]
    assert job["cancellable"] is True
    assert job["study"]["patient_id"] == "P1"
    path = f"/api/v1/jobs/{job['id']}/cancel"
    assert reader.post(path).status_code == 403
    assert technologist.post(path, json={"reason": "x" * 201}).status_code == 422
    answer = technologist.post(path + "?lang=en", json={"reason": "wrong patient"})
    assert answer.status_code == 200, answer.text
    entry = answer.json()
    assert (entry["state"], entry["retryable"]) == ("cancelled", True)
    assert entry["reason"] == "Cancelled by ktv.binh: wrong patient"
    assert technologist.post(path).status_code == 200  # nothing more to do
    with database.read() as connection:
        actions = list(connection.execute(select(audit.c.action, audit.c.principal)).all())
        notes = connection.execute(select(timeline).where(timeline.c.step == "cancelled")).all()
    assert [a for a in actions if a.action == "job.cancelled"] == [("job.cancelled", "ktv.binh")]
    assert len(notes) == 1
    steps = reader.get(f"/api/v1/studies/{study}/timeline?lang=vi").json()["events"]
    assert steps[-1]["text"] == "Mẫu thử: ktv.binh đã huỷ: wrong patient"
    assert JobQueue(database, "a/1", 30).claim(5) == []
    answer = technologist.post(f"/api/v1/jobs/{job['id']}/retry")
    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    (claimed,) = JobQueue(database, "a/1", 30).claim(5)
    assert claimed.id == job["id"]


def test_what_has_ended_is_neither_cancelled_nor_repeated(
    client_of: ClientOf, measured: Measured, made: Callable[..., str]
) -> None:
    measured()
    client = client_of(Role.ADMIN, "admin")
    (done,) = client.get("/api/v1/queue").json()["ended"]
    assert (done["state"], done["cancellable"], done["retryable"]) == ("done", False, False)
    assert done["durations"]["measure"] > 0
    declined = made(state="refused", attempts=0)
    for job_id in (done["id"], declined):
        for what in ("cancel", "retry"):
            answer = client.post(f"/api/v1/jobs/{job_id}/{what}")
            assert (answer.status_code, answer.json()["code"]) == (409, "ENN-0402")
    assert client.post("/api/v1/jobs/none/cancel").status_code == 404


def test_jobs_of_a_shadow_are_for_those_who_manage_models(
    client_of: ClientOf, made: Callable[..., str]
) -> None:
    shadow, seen = made(lane="shadow"), made()
    reader, manager = client_of(), client_of(Role.DATA_SCIENTIST, "ds.chi")
    assert [e["id"] for e in reader.get("/api/v1/queue").json()["waiting"]] == [seen]
    assert reader.get(f"/api/v1/jobs/{shadow}").status_code == 404
    found = {e["id"] for e in manager.get("/api/v1/queue").json()["waiting"]}
    assert found == {seen, shadow}
    assert manager.get(f"/api/v1/jobs/{shadow}").json()["lane"] == "shadow"


def test_a_job_that_another_system_holds_says_so(
    client: TestClient, made: Callable[..., str], database: Database
) -> None:
    job_id = made()
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    values = {"state": "running", "lease_owner": external_owner("ab", "AI_BOX")}
    with database.begin() as connection:
        connection.execute(update(jobs).values(lease_until=until, **values))
    queue = client.get("/api/v1/queue").json()
    (entry,) = queue["running"]
    assert (entry["id"], entry["held_by"]) == (job_id, "AI_BOX")
    assert queue["counts"]["claimed"] == 1
    assert JobQueue(database, "a/1", 30).claim(5) == []
