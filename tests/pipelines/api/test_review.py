"""Accept, edit, reject: the successor report, the audit, and who comes first."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydicom import dcmread
from sqlalchemy import select

from ennead import events
from ennead.contracts import Archive
from ennead.database import Database
from ennead.security import Role
from ennead.security.audit import verify
from ennead_pipelines.tables import findings

Measured = Callable[..., str]


@pytest.fixture
def finding(measured: Measured, database: Database) -> str:
    measured()
    with database.read() as connection:
        return str(connection.execute(select(findings.c.id)).scalar_one())


def decide(client: TestClient, finding: str, what: str, **body: Any) -> Any:
    return client.post(f"/api/v1/findings/{finding}/{what}?lang=vi", json=body)


def report(archive: Archive, uid: str) -> Any:
    return dcmread(io.BytesIO(archive.path(uid).read_bytes()))  # type: ignore[arg-type]


def test_accept_writes_a_verified_successor(
    client: TestClient, finding: str, archive: Archive, database: Database, job_rows: Any
) -> None:
    answer = decide(client, finding, "accept")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["state"], body["unverified"], body["decision"]["by"]) == (
        "accepted",
        False,
        "bs.an",
    )
    (job,) = job_rows()
    assert body["sr_instance_uid"] == job.current_sr_uid != job.sr_instance_uid
    successor = report(archive, body["sr_instance_uid"])
    assert successor.VerificationFlag == "VERIFIED"
    assert str(successor.VerifyingObserverSequence[0].VerifyingObserverName) == "bs.an"
    assert successor.SeriesInstanceUID == job.sr_series_uid
    with database.read() as connection:
        verify(connection)
        kinds = list(connection.execute(select(events.outbox.c.kind)).scalars())
    assert kinds.count(events.FINDING_REVIEWED) == 1
    study = job.study_uid
    (item,) = client.get("/api/v1/studies").json()["studies"]
    assert (item["ai"]["state"], item["ai"]["accepted"]) == ("reviewed", 1)
    steps = client.get(f"/api/v1/studies/{study}/timeline?lang=vi").json()["events"]
    assert steps[-1]["text"] == "bs.an đã chấp nhận “Vùng sáng”."


def test_the_same_decision_again_changes_nothing(
    client: TestClient, finding: str, job_rows: Any
) -> None:
    first = decide(client, finding, "accept").json()
    assert decide(client, finding, "accept").json() == first
    assert job_rows()[0].current_sr_uid == first["sr_instance_uid"]


def test_an_edit_keeps_the_ai_value(client: TestClient, finding: str) -> None:
    body = decide(client, finding, "edit", values={"volume": 1.5}, reason="rìa tổn thương").json()
    volume = {m["id"]: m for m in body["measurements"]}["volume"]
    assert (volume["value"], volume["shown"]) == (1.5, "1,50")
    assert volume["ai_value"] == pytest.approx(0.225)
    mean = {m["id"]: m for m in body["measurements"]}["mean_hu"]
    assert mean["ai_value"] is None


def test_a_reader_may_change_their_mind(client: TestClient, finding: str, archive: Archive) -> None:
    first = decide(client, finding, "accept").json()["sr_instance_uid"]
    body = decide(client, finding, "reject", reason="false-positive", comment="mạch máu").json()
    assert (body["state"], body["decision"]["reason"]) == ("rejected", "false-positive")
    assert body["revision"] == 2
    successor = report(archive, body["sr_instance_uid"])
    study = successor.PredecessorDocumentsSequence[0]
    named = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == first


def test_another_reader_comes_second(client_of: Callable[..., TestClient], finding: str) -> None:
    an, binh = client_of(name="bs.an"), client_of(name="bs.binh")
    assert decide(an, finding, "accept").status_code == 200
    late = decide(binh, finding, "reject", reason="known")
    assert late.status_code == 409
    assert "bs.an" in late.json()["detail"]
    stale = decide(an, finding, "reject", reason="known", revision=0)
    assert stale.status_code == 409
    informed = decide(binh, finding, "reject", reason="known", revision=1)
    assert (informed.status_code, informed.json()["decision"]["by"]) == (200, "bs.binh")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("edit", {"values": {"unknown": 1.0}}),
        ("edit", {"values": {}}),
        ("edit", {"values": {"volume": "wide"}}),
        ("reject", {"reason": "because"}),
        ("reject", {}),
        ("accept", {"extra": 1}),
    ],
)
def test_incomplete_decisions_are_refused(
    client: TestClient, finding: str, what: str, body: dict[str, Any], job_rows: Any
) -> None:
    assert decide(client, finding, what, **body).status_code in (400, 422)
    (job,) = job_rows()
    assert job.current_sr_uid == job.sr_instance_uid
    assert job.review_lock == ""


def test_only_readers_decide(client_of: Callable[..., TestClient], finding: str) -> None:
    for role in (Role.ADMIN, Role.CLINICIAN, Role.TECHNOLOGIST):
        assert decide(client_of(role, str(role)), finding, "accept").status_code == 403
    assert decide(client_of(), "0" * 32, "accept").status_code == 404


def test_a_superseded_finding_cannot_be_decided(
    client: TestClient, measured: Measured, finding: str, database: Database
) -> None:
    with database.begin() as connection:
        connection.execute(findings.update().values(hidden=True))
    assert decide(client, finding, "accept").status_code == 409
