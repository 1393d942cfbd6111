"""UPS-RS: subscriptions and the event channel."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from starlette.websockets import WebSocketDisconnect

from ennead.database import Database
from ennead.security import Role
from ennead_pipelines.api import feed as feed_module
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.ups.identity import FILTERED, GLOBAL, workitem_uid
from ennead_pipelines.ups.tables import subscriptions

ClientOf = Callable[..., TestClient]
Rows = Callable[[], list[Any]]
WORKITEMS, CHANNEL = "/dicom-web/workitems", "/dicom-web/subscribers"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(feed_module, "POLL_SECONDS", 0.02)
    yield


@pytest.fixture
def watcher(client_of: ClientOf) -> TestClient:
    return client_of(Role.TECHNOLOGIST, "watcher")


@pytest.fixture
def waiting(send: Callable[..., str], settle: Callable[[], None], job_rows: Rows) -> str:
    send()
    settle()
    return workitem_uid(job_rows()[0].id, 0)


def heard(report: Any) -> tuple[int, str, str]:
    """Event type, workitem, state."""
    state = report.get("00741000", {"Value": [""]})["Value"][0]
    return report["00001002"]["Value"][0], report["00001000"]["Value"][0], state


def test_a_workitem_is_watched_from_claim_to_cancellation(
    watcher: TestClient, waiting: str, database: Database
) -> None:
    answer = watcher.post(f"{WORKITEMS}/{waiting}/subscribers/WATCHER")
    assert answer.status_code == 201
    assert answer.headers["content-location"] == f"ws://testserver{CHANNEL}/WATCHER"
    with watcher.websocket_connect(f"{CHANNEL}/WATCHER") as channel:
        assert heard(channel.receive_json()) == (1, waiting, "SCHEDULED")
        queue = JobQueue(database, "a/1", 30)
        (job,) = queue.claim(1)
        assert heard(channel.receive_json()) == (1, waiting, "IN PROGRESS")
        queue.progress({job.id: (0.5, "jobs.step.measuring")})
        report = channel.receive_json()
        while heard(report) == (3, waiting, "") and "50" not in str(report):
            report = channel.receive_json()
        assert heard(report) == (3, waiting, "")
        progress = report["00741002"]["Value"][0]
        assert progress["00741004"]["Value"] == ["50"]
        body = {"00741238": {"vr": "LT", "Value": ["wrong study"]}}
        path = f"{WORKITEMS}/{waiting}/cancelrequest"
        assert watcher.post(path, json=body).status_code == 202
        report = channel.receive_json()
        while report["00001002"]["Value"] == [3]:
            report = channel.receive_json()
        assert heard(report) == (1, waiting, "CANCELED")
        assert "wrong study" in report["00741238"]["Value"][0]
        numbers = report["00000110"]["Value"][0]
        assert numbers >= 4


def test_a_performer_is_asked_to_stop(
    watcher: TestClient, client_of: ClientOf, waiting: str
) -> None:
    performer = client_of(Role.TECHNOLOGIST, "AI_BOX")
    body = {
        "00741000": {"vr": "CS", "Value": ["IN PROGRESS"]},
        "00081195": {"vr": "UI", "Value": ["1.2.840.99.1"]},
    }
    assert performer.put(f"{WORKITEMS}/{waiting}/state", json=body).status_code == 200
    assert performer.post(f"{WORKITEMS}/{waiting}/subscribers/AI_BOX").status_code == 201
    with performer.websocket_connect(f"{CHANNEL}/AI_BOX") as channel:
        assert heard(channel.receive_json()) == (1, waiting, "IN PROGRESS")
        said = {"00741238": {"vr": "LT", "Value": ["no longer needed"]}}
        path = f"{WORKITEMS}/{waiting}/cancelrequest"
        assert watcher.post(path, json=said).status_code == 202
        report = channel.receive_json()
        while report["00001002"]["Value"] == [3]:
            report = channel.receive_json()
        assert heard(report)[:2] == (2, waiting)
        assert report["00741238"]["Value"] == ["no longer needed"]


def test_global_subscription_suspension_and_leaving(
    watcher: TestClient,
    waiting: str,
    database: Database,
    send: Callable[..., str],
    settle: Callable[[], None],
    job_rows: Rows,
) -> None:
    with watcher.websocket_connect(f"{CHANNEL}/ALL") as channel:
        assert (
            watcher.post(f"{WORKITEMS}/{GLOBAL}/subscribers/ALL?deletionlock=true").status_code
            == 201
        )
        queue = JobQueue(database, "a/1", 30)
        (job,) = queue.claim(1)
        assert heard(channel.receive_json()) == (1, waiting, "IN PROGRESS")
        assert watcher.post(f"{WORKITEMS}/{GLOBAL}/subscribers/ALL/suspend").status_code == 200
        send(StudyInstanceUID="1.2.840.5")
        settle()
        later = next(row for row in job_rows() if row.id != job.id)
        assert later.study_uid == "1.2.840.5"
        (other,) = queue.claim(1)
        assert other.id == later.id
        queue.give_back(job, 60, fault=True, reason={})
        queue.progress({other.id: (0.9, "jobs.step.measuring")})
        assert watcher.post(f"/api/v1/jobs/{job.id}/cancel").status_code == 200
        report = channel.receive_json()
        while heard(report)[0] == 3:
            report = channel.receive_json()
        assert heard(report) == (1, waiting, "CANCELED")  # and nothing of the later one
    path = f"{WORKITEMS}/{waiting}/subscribers/ALL"
    assert watcher.delete(path).status_code == 200
    with database.read() as connection:
        rows = connection.execute(select(subscriptions)).all()
    assert {(r.uid, r.subscribed, r.deletion_lock) for r in rows} == {
        (GLOBAL, True, True),
        (waiting, False, False),
    }
    assert watcher.delete(f"{WORKITEMS}/{GLOBAL}/subscribers/ALL").status_code == 200
    with database.read() as connection:
        assert connection.execute(select(subscriptions)).all() == []


def test_what_is_refused(watcher: TestClient, client_of: ClientOf, waiting: str) -> None:
    path = f"{WORKITEMS}/{waiting}/subscribers"
    assert watcher.post(f"{path}/THIS_TITLE_IS_MUCH_TOO_LONG").status_code == 400
    assert watcher.post(f"{WORKITEMS}/2.25.9/subscribers/ME").status_code == 404
    answer = watcher.post(f"{WORKITEMS}/{FILTERED}/subscribers/ME")
    assert (answer.status_code, "not supported" in answer.headers["warning"]) == (409, True)
    assert watcher.post(f"{WORKITEMS}/{GLOBAL}/subscribers/ME/suspend").status_code == 404
    assert watcher.post(f"{path}/ME").status_code == 201
    other = client_of(Role.TECHNOLOGIST, "other")
    assert other.post(f"{path}/ME").status_code == 403
    assert other.delete(f"{path}/ME").status_code == 403
    for client in (other, TestClient(other.app)):  # somebody else; nobody
        with pytest.raises(WebSocketDisconnect) as refused:
            with client.websocket_connect(f"{CHANNEL}/ME"):
                pass
        assert refused.value.code == 1008
    assert watcher.get(f"{CHANNEL}/ME").status_code in (426, 501)
