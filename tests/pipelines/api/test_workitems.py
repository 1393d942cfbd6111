"""UPS-RS: jobs seen as workitems, claimed, completed, cancelled and asked for by other systems."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from ennead.database import Database
from ennead.security import Role
from ennead.security.tables import audit
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.tables import jobs, timeline
from ennead_pipelines.ups.identity import job_of, workitem_uid

ClientOf = Callable[..., TestClient]
Rows = Callable[[], list[Any]]

WORKITEMS = "/dicom-web/workitems"
TRANSACTION = "1.2.840.99.1"


def text(dataset: Any, tag: str) -> Any:
    (value,) = dataset[tag]["Value"]
    return value


def item(dataset: Any, *tags: str) -> Any:
    for tag in tags:
        dataset = dataset[tag]["Value"][0]
    return dataset


def state(client: TestClient, uid: str) -> str:
    answer = client.get(f"{WORKITEMS}/{uid}")
    assert answer.status_code == 200, answer.text
    assert "00081195" not in answer.json()[0]  # the Transaction UID is never told
    return str(text(answer.json()[0], "00741000"))


def change(client: TestClient, uid: str, wanted: str, transaction: str = TRANSACTION) -> Any:
    body: Any = {"00741000": {"vr": "CS", "Value": [wanted]}}
    if transaction:
        body["00081195"] = {"vr": "UI", "Value": [transaction]}
    return client.put(
        f"{WORKITEMS}/{uid}/state", json=body, headers={"Content-Type": "application/dicom+json"}
    )


@pytest.fixture
def performer(client_of: ClientOf) -> TestClient:
    return client_of(Role.TECHNOLOGIST, "AI_BOX")


@pytest.fixture
def waiting(send: Callable[..., str], settle: Callable[[], None], job_rows: Rows) -> str:
    """The UID of the workitem of a job that waits."""
    send()
    settle()
    return workitem_uid(job_rows()[0].id, 0)


PERFORMED = {
    "00404050": {"vr": "DT", "Value": ["20261125080000"]},
    "00404051": {"vr": "DT", "Value": ["20261125080100"]},
    "00404033": {"vr": "SQ"},
}


def test_uids_are_stable_and_lead_back() -> None:
    job_id = "0123456789abcdef0123456789abcdef"
    for generation in (0, 1, 12):
        uid = workitem_uid(job_id, generation)
        assert len(uid) <= 64
        assert job_of(uid) == (job_id, generation)
    for other in ("2.25.x", f"2.25.{2**128}", "2.25.7.0", "2.25.07", "1.2.840.1"):
        assert job_of(other) is None


def test_a_waiting_job_is_a_scheduled_workitem(
    client: TestClient, waiting: str, job_rows: Rows
) -> None:
    (job,) = job_rows()
    answer = client.get(f"{WORKITEMS}/{waiting}")
    assert answer.headers["content-type"].startswith("application/dicom+json")
    (found,) = answer.json()
    assert list(found) == sorted(found)
    assert text(found, "00080016") == "1.2.840.10008.5.1.4.34.6.1"
    assert text(found, "00080018") == waiting
    assert (text(found, "00741000"), text(found, "00741200")) == ("SCHEDULED", "MEDIUM")
    assert (text(found, "00100020"), text(found, "00404041")) == ("P1", "READY")
    source = item(found, "00404021")
    assert text(source, "0020000D") == job.study_uid
    assert text(source, "0020000E") == job.inputs["ct"]
    assert len(source["00081199"]["Value"]) == 8
    parameters = {
        text(item(each, "0040A043"), "00080100"): text(each, "0040A160")
        for each in found["00741210"]["Value"]
    }
    assert parameters == {"package": "sample", "package-version": "1.0.0", "job": job.id}
    assert "Value" not in found["00741216"]
    assert client.get(f"{WORKITEMS}/2.25.1").status_code == 404
    answer = client.get(f"{WORKITEMS}/{waiting}", headers={"Accept": "image/jpeg"})
    assert answer.status_code == 406


def test_a_finished_job_is_a_completed_workitem_with_its_outputs(
    client: TestClient, measured: Callable[..., str], job_rows: Rows
) -> None:
    study = measured()
    (job,) = job_rows()
    (found,) = client.get(WORKITEMS, params={"StudyInstanceUID": study}).json()
    assert text(found, "00741000") == "COMPLETED"
    performed = item(found, "00741216")
    outputs = [
        (text(each, "0020000E"), text(item(each, "00081199"), "00081155"))
        for each in performed["00404033"]["Value"]
    ]
    assert outputs == [
        (job.seg_series_uid, job.seg_instance_uid),
        (job.sr_series_uid, job.sr_instance_uid),
    ]
    classes = {text(item(each, "00081199"), "00081150") for each in performed["00404033"]["Value"]}
    assert classes <= {
        "1.2.840.10008.5.1.4.1.1.66.4",
        "1.2.840.10008.5.1.4.1.1.66.7",
        "1.2.840.10008.5.1.4.1.1.88.34",
    }
    assert text(performed, "00404051") >= text(performed, "00404050")


def test_a_declined_study_is_a_cancelled_workitem_with_its_reason(
    client: TestClient, send: Callable[..., str], settle: Callable[[], None]
) -> None:
    send(BodyPartExamined="HEAD")
    settle()
    (found,) = client.get(WORKITEMS, params={"00741000": "CANCELED", "lang": "en"}).json()
    progress = item(found, "00741002")
    assert text(progress, "00741238")
    coded = item(progress, "0074100E")
    assert (text(coded, "00080100"), text(coded, "00080102")) == ("110522", "DCM")


def test_searching(client: TestClient, waiting: str, job_rows: Rows, database: Database) -> None:
    (job,) = job_rows()
    today = job.created_at.strftime("%Y%m%d")
    hits: list[dict[str, str]] = [
        {},
        {"ProcedureStepState": "SCHEDULED"},
        {"00741000": "SCHEDULED,IN PROGRESS"},
        {"ScheduledProcedureStepPriority": "MEDIUM"},
        {"PatientID": "P?"},
        {"InputInformationSequence.StudyInstanceUID": job.study_uid},
        {"ScheduledProcedureStepStartDateTime": f"{today}-"},
        {"ScheduledProcedureStepStartDateTime": today},
        {"00404005": f"20200101-{int(today[:4]) + 1}"},
        {"SOPInstanceUID": waiting},
        {"ScheduledProcessingParametersSequence.TextValue": "sample"},
        {"ScheduledWorkitemCodeSequence.CodeValue": "110001"},
    ]
    for query in hits:
        answer = client.get(WORKITEMS, params=query)
        assert answer.status_code == 200, query
        (found,) = answer.json()
        assert text(found, "00080018") == waiting
        assert "00081199" not in item(found, "00404021")
    misses: list[dict[str, str]] = [
        {"ProcedureStepState": "COMPLETED"},
        {"ProcedureStepState": "NONSENSE"},
        {"ScheduledProcedureStepPriority": "HIGH"},
        {"PatientID": "P"},
        {"StudyInstanceUID": "1.2.3"},
        {"ScheduledProcedureStepStartDateTime": "-20200101"},
        {"offset": "1"},
    ]
    for query in misses:
        assert client.get(WORKITEMS, params=query).status_code == 204, query
    answer = client.get(WORKITEMS, params={"PatientWeight": "80"})
    assert answer.headers["warning"] == '299 Ennead "These keys are not matched: PatientWeight"'
    assert client.get(WORKITEMS, params={"limit": "many"}).status_code == 400
    assert client.get(WORKITEMS, params={"00404005": "yesterday"}).status_code == 400


def test_a_claim_a_report_of_progress_and_an_end(
    client: TestClient,
    performer: TestClient,
    waiting: str,
    database: Database,
    job_rows: Rows,
) -> None:
    """IHE AIW-I: claim, update, complete; our own workers stay away meanwhile."""
    assert change(client, waiting, "IN PROGRESS").status_code == 403  # a reader performs nothing
    assert change(performer, waiting, "IN PROGRESS").status_code == 200
    assert state(client, waiting) == "IN PROGRESS"
    assert JobQueue(database, "a/1", 30).claim(5) == []
    (entry,) = client.get("/api/v1/queue").json()["running"]
    assert entry["held_by"] == "AI_BOX"
    answer = change(performer, waiting, "IN PROGRESS", "1.2.840.99.2")
    assert answer.status_code == 409
    assert "inconsistent with the current state" in answer.headers["warning"]
    progress = {"00741002": {"vr": "SQ", "Value": [{"00741004": {"vr": "DS", "Value": ["40"]}}]}}
    path = f"{WORKITEMS}/{waiting}"
    answer = performer.post(f"{path}?1.2.840.99.2", json=progress)
    assert (answer.status_code, answer.headers["warning"]) == (
        409,
        '299 Ennead "The Transaction UID is incorrect."',
    )
    assert performer.post(f"{path}?{TRANSACTION}", json=progress).status_code == 200
    assert job_rows()[0].fraction == pytest.approx(0.4)
    assert text(item(client.get(path).json()[0], "00741002"), "00741004") == "40"
    answer = change(performer, waiting, "COMPLETED")
    assert (answer.status_code, "final state" in answer.headers["warning"]) == (409, True)
    done = {"00741216": {"vr": "SQ", "Value": [PERFORMED]}}
    assert performer.post(f"{path}?transaction-uid={TRANSACTION}", json=done).status_code == 200
    assert change(performer, waiting, "COMPLETED", "1.2.840.99.2").status_code == 409
    assert change(performer, waiting, "COMPLETED").status_code == 200
    assert state(client, waiting) == "COMPLETED"
    again = change(performer, waiting, "COMPLETED")
    assert again.headers["warning"].endswith('requested state of COMPLETED."')
    assert change(performer, waiting, "CANCELED").status_code == 409
    with database.read() as connection:
        actions = set(connection.execute(select(audit.c.action)).scalars())
        keys = list(connection.execute(select(timeline.c.text_key)).scalars())
    assert {"workitem.claimed", "workitem.completed"} <= actions
    assert keys[-2:] == ["ups.timeline.claimed", "ups.timeline.completed"]
    assert job_rows()[0].state == "done"


def test_an_expired_claim_is_lost(
    performer: TestClient, waiting: str, database: Database, job_rows: Rows
) -> None:
    assert change(performer, waiting, "IN PROGRESS").status_code == 200
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    with database.begin() as connection:
        connection.execute(update(jobs).values(lease_until=past))
    (job,) = JobQueue(database, "a/1", 30).claim(5)
    assert workitem_uid(job.id, 0) == waiting
    answer = change(performer, waiting, "CANCELED")
    assert (answer.status_code, "Transaction UID is incorrect" in answer.headers["warning"]) == (
        409,
        True,
    )
    assert state(performer, waiting) == "IN PROGRESS"


def test_a_performer_gives_up_and_a_person_asks_again(
    performer: TestClient, waiting: str, job_rows: Rows
) -> None:
    """A cancelled workitem stays cancelled; another one replaces it."""
    assert change(performer, waiting, "IN PROGRESS").status_code == 200
    why = {"00741238": {"vr": "LT", "Value": ["out of licences"]}}
    said = {"00741002": {"vr": "SQ", "Value": [why]}}
    assert performer.post(f"{WORKITEMS}/{waiting}?{TRANSACTION}", json=said).status_code == 200
    assert change(performer, waiting, "CANCELED").status_code == 200
    (found,) = performer.get(f"{WORKITEMS}/{waiting}").json()
    progress = item(found, "00741002")
    assert text(progress, "00741238") == "out of licences"
    assert text(item(progress, "0074100E"), "00080100") == "110513"
    job_id = job_rows()[0].id
    assert performer.post(f"/api/v1/jobs/{job_id}/retry").status_code == 200
    assert state(performer, waiting) == "CANCELED"
    assert change(performer, waiting, "IN PROGRESS").status_code == 409
    (now,) = performer.get(WORKITEMS).json()
    assert text(now, "00080018") == workitem_uid(job_id, 1)
    assert text(now, "00741000") == "SCHEDULED"
    assert text(item(now, "00741224"), "00081155") == waiting
    assert change(performer, workitem_uid(job_id, 1), "IN PROGRESS").status_code == 200


def test_asking_for_cancellation(
    performer: TestClient, waiting: str, job_rows: Rows, database: Database
) -> None:
    path = f"{WORKITEMS}/{waiting}/cancelrequest"
    reason = {"00741238": {"vr": "LT", "Value": ["ordered twice"]}}
    assert change(performer, waiting, "IN PROGRESS").status_code == 200
    assert performer.post(path, json=reason).status_code == 202  # the performer is asked
    assert state(performer, waiting) == "IN PROGRESS"
    with database.begin() as connection:
        connection.execute(update(jobs).values(lease_owner="worker/1"))
    assert performer.post(path, json=reason).status_code == 202  # our own work is stopped
    (row,) = job_rows()
    assert (row.state, row.reason_values["reason"]) == ("cancelled", "ordered twice")
    answer = performer.post(path)
    assert answer.status_code == 202
    assert "requested state of CANCELED" in answer.headers["warning"]


def request(study: str, package: str = "sample", **more: Any) -> dict[str, Any]:
    concept = {
        "00080100": {"vr": "SH", "Value": ["package"]},
        "00080102": {"vr": "SH", "Value": ["99ENNEAD"]},
        "00080104": {"vr": "LO", "Value": ["Package"]},
    }
    parameter = {
        "0040A040": {"vr": "CS", "Value": ["TEXT"]},
        "0040A043": {"vr": "SQ", "Value": [concept]},
        "0040A160": {"vr": "UT", "Value": [package]},
    }
    source = {"0020000D": {"vr": "UI", "Value": [study]}}
    return {
        "00741000": {"vr": "CS", "Value": ["SCHEDULED"]},
        "00741200": {"vr": "CS", "Value": ["HIGH"]},
        "00741204": {"vr": "LO", "Value": ["Emphysema, please"]},
        "00404021": {"vr": "SQ", "Value": [source]},
        "00741210": {"vr": "SQ", "Value": [parameter]},
        **more,
    }


def test_another_system_asks_for_a_package(
    performer: TestClient, waiting: str, job_rows: Rows, database: Database
) -> None:
    study = job_rows()[0].study_uid
    uid = "1.2.840.99.77"
    answer = performer.post(f"{WORKITEMS}?{uid}", json=request(study))
    assert (answer.status_code, answer.headers["location"]) == (201, f"{WORKITEMS}/{uid}")
    (found,) = performer.get(f"{WORKITEMS}/{uid}").json()
    assert (text(found, "00741000"), text(found, "00741200")) == ("SCHEDULED", "HIGH")
    assert text(found, "00741204") == "Emphysema, please"
    (row,) = job_rows()
    assert (row.priority, row.requested_by) == (10, "AI_BOX")
    # One job, seen under the requester's UID.
    (listed,) = performer.get(WORKITEMS).json()
    assert text(listed, "00080018") == uid
    again = performer.post(f"{WORKITEMS}?{uid}", json=request(study))
    assert (again.status_code, "already exists" in again.headers["warning"]) == (409, True)
    assert performer.post(f"{WORKITEMS}?{waiting}", json=request(study)).status_code == 409
    assert change(performer, uid, "IN PROGRESS").status_code == 200
    assert state(performer, waiting) == state(performer, uid) == "IN PROGRESS"


def test_requests_that_make_no_sense(performer: TestClient, waiting: str, job_rows: Rows) -> None:
    study = job_rows()[0].study_uid
    created = {"00741000": {"vr": "CS", "Value": ["IN PROGRESS"]}}
    refused: list[tuple[Any, int]] = [
        (request("1.2.3.4"), 404),
        (request(study, "no_such"), 404),
        (request("not a uid"), 400),
        (request(study, **created), 400),
        (request(study) | {"00741210": {"vr": "SQ"}}, 400),
        ({"nonsense": 1}, 400),
        ([], 400),
    ]
    for body, status in refused:
        answer = performer.post(f"{WORKITEMS}?1.2.840.99.5", json=body)
        assert answer.status_code == status, (body, answer.text)
    answer = performer.post(
        f"{WORKITEMS}?1.2.840.99.5", content=b"<xml/>", headers={"Content-Type": "text/xml"}
    )
    assert answer.status_code == 415
    assert performer.post(WORKITEMS, json=request(study)).status_code == 400  # no UID
    assert change(performer, waiting, "SCHEDULED").status_code == 400
    answer = change(performer, waiting, "IN PROGRESS", "")
    assert (answer.status_code, answer.headers["warning"]) == (
        400,
        '299 Ennead "The Transaction UID is missing."',
    )
    path = f"{WORKITEMS}/{waiting}"
    fixed = {"00741000": {"vr": "CS", "Value": ["COMPLETED"]}}
    assert performer.post(path, json=fixed).status_code == 400
    low = {"00741200": {"vr": "CS", "Value": ["LOW"]}}
    assert performer.post(path, json=low).status_code == 200
    assert job_rows()[0].priority == 90
