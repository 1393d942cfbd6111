"""Thresholds, certificates and notes of a package; running again; moving a job."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.security import Role, audit
from ennead_pipelines.tables import certificates, jobs

Send = Callable[..., str]
Settle = Callable[[], None]
Rows = Callable[[], list[Any]]
PACKAGE = "/api/v1/packages/sample"
PAPER = {
    "issuer": "Sở Y tế",
    "number": "12/2026",
    "scope": "đo phổi",
    "package_version": "1.0.0",
    "valid_until": "2099-12-31",
}


@pytest.fixture
def admin(client_of: Callable[..., TestClient]) -> TestClient:
    return client_of(Role.ADMIN, "admin")


@pytest.fixture
def technologist(client_of: Callable[..., TestClient]) -> TestClient:
    return client_of(Role.TECHNOLOGIST, "ktv")


def test_thresholds(admin: TestClient, client: TestClient, database: Database) -> None:
    (before,) = client.get(f"{PACKAGE}/thresholds").json()["thresholds"]
    assert (before["value"], before["site_value"], before["bounds"]) == (50.0, None, [0.0, 200.0])
    body = {"values": {"bright_hu": 60}}
    assert client.put(f"{PACKAGE}/thresholds", json=body).status_code == 403
    (after,) = admin.put(f"{PACKAGE}/thresholds", json=body).json()["thresholds"]
    assert (after["value"], after["site_value"], after["changed_by"]) == (60.0, 60.0, "admin")
    refused = admin.put(f"{PACKAGE}/thresholds", json={"values": {"bright_hu": 201}})
    assert refused.status_code == 400
    assert "between 0 and 200; got 201" in refused.json()["detail"]
    assert admin.put(f"{PACKAGE}/thresholds", json={"values": {"x": 1}}).status_code == 404
    assert admin.get("/api/v1/packages/nothing/thresholds").status_code == 404
    (reset,) = admin.put(f"{PACKAGE}/thresholds", json={"values": {"bright_hu": None}}).json()[
        "thresholds"
    ]
    assert (reset["value"], reset["site_value"]) == (50.0, None)
    with database.read() as connection:
        assert len(audit.page(connection, action="thresholds.changed")) == 2


def test_certificates_are_what_the_site_has_on_file(
    admin: TestClient, client: TestClient, database: Database
) -> None:
    assert client.get(f"{PACKAGE}/certificates").json()["cleared_here"] is False
    assert client.post(f"{PACKAGE}/certificates", json=PAPER).status_code == 403
    entered = admin.post(f"{PACKAGE}/certificates", json=PAPER)
    assert entered.status_code == 201
    assert entered.json()["cleared_here"] is True
    (paper,) = entered.json()["certificates"]
    assert (paper["state"], paper["valid_from"]) == ("valid", None)
    assert paper["statement"] == (
        "Bệnh viện ghi nhận giấy số 12/2026 do Sở Y tế cấp; Ennead không cấp và không xác nhận "
        "giấy này."
    )
    assert admin.post(f"{PACKAGE}/certificates", json=PAPER).status_code == 409
    for change, state, text in (
        ({"valid_until": "2020-01-01"}, "expired", "Đã hết hạn ngày 2020-01-01."),
        ({"valid_from": "2099-01-01"}, "not_yet", "Chỉ có hiệu lực từ ngày 2099-01-01."),
        (
            {"package_version": "0.9.0"},
            "other_version",
            "Cấp cho phiên bản 0.9.0; phiên bản đang chạy là 1.0.0.",
        ),
    ):
        with database.begin() as connection:
            connection.execute(update(certificates).values(**change))
        (item,) = listed(client)["certificates"]
        assert (item["state"], item["text"]) == (state, text)
        assert listed(client)["cleared_here"] is False
        reset = {"valid_until": "2099-12-31", "valid_from": "", "package_version": "1.0.0"}
        with database.begin() as connection:
            connection.execute(update(certificates).values(**reset))
    assert listed(client)["cleared_here"] is True
    for body, status in (({"reason": " "}, 400), ({"reason": "thu hồi"}, 200)):
        answer = admin.post(f"{PACKAGE}/certificates/{paper['id']}/withdraw", json=body)
        assert answer.status_code == status
    assert answer.json()["certificates"][0]["state"] == "withdrawn"
    assert answer.json()["certificates"][0]["withdrawal"] == "thu hồi"
    again = admin.post(f"{PACKAGE}/certificates/{paper['id']}/withdraw", json={"reason": "x"})
    assert again.status_code == 409
    assert admin.post(f"{PACKAGE}/certificates/99/withdraw", json=body).status_code == 404
    with database.read() as connection:
        kinds = [e.action for e in audit.page(connection, action="certificate")]
    assert kinds == ["certificate.withdrawn", "certificate.added"]


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "  "},
        {"package_version": "1.0"},
        {"valid_from": "2100-01-01"},
        {"valid_until": "31/12/2026"},
        {"approved_by": "Ennead"},
    ],
)
def test_a_certificate_with_a_wrong_value_is_refused(
    admin: TestClient, change: dict[str, str]
) -> None:
    assert admin.post(f"{PACKAGE}/certificates", json={**PAPER, **change}).status_code == 422
    assert admin.get(f"{PACKAGE}/certificates").json()["certificates"] == []


def listed(client: TestClient, language: str = "vi") -> dict[str, Any]:
    answer = client.get("/api/v1/packages", params={"lang": language})
    item: dict[str, Any] = answer.json()["packages"][0]
    return item


def test_notes_say_what_a_package_may_and_may_not(client: TestClient) -> None:
    notes = listed(client, "en")["notes"]
    assert (notes["licence"], notes["dependencies"]) == ("Apache-2.0", [])
    assert notes["may"][0] == "Returns a segmentation: Bright region."
    assert "UNVERIFIED" in notes["may"][-1]
    assert notes["may_not"][-1] == (
        "The hospital has no certificate on file for version 1.0.0; use it for its stated "
        "purpose only."
    )
    said = " ".join(notes["may"] + notes["may_not"])
    assert not any(word in said for word in ("FDA", "CE ", "approved"))


def test_running_again(
    technologist: TestClient,
    client: TestClient,
    admin: TestClient,
    send: Send,
    settle: Settle,
    job_rows: Rows,
    database: Database,
) -> None:
    study = send()
    settle()
    path = f"/api/v1/studies/{study}/rerun"

    def again(**body: Any) -> Any:
        return technologist.post(path, json={"reason": "đổi ngưỡng", **body})

    assert client.post(path, json={"reason": "x"}).status_code == 403
    assert again(reason=" ").status_code == 400
    assert again(package="x").status_code == 404
    unknown = technologist.post("/api/v1/studies/1.2.3/rerun", json={"reason": "x"})
    assert unknown.status_code == 404
    (same,) = again().json()["packages"]
    assert (same["outcome"], same["state"]) == ("same", "waiting")
    assert same["text"] == "Kết quả cùng định danh đã có; không lưu gì mới."
    with database.begin() as connection:
        connection.execute(update(jobs).values(state="done", sr_instance_uid="1.2"))
    assert again(package="sample").json()["packages"][0]["outcome"] == "same"
    assert len(job_rows()) == 1
    with database.begin() as connection:
        connection.execute(update(jobs).values(state="failed", sr_instance_uid=""))
    (retried,) = again().json()["packages"]
    assert (retried["outcome"], retried["state"]) == ("retried", "waiting")
    admin.put(f"{PACKAGE}/thresholds", json={"values": {"bright_hu": 60}})
    (new,) = again().json()["packages"]
    assert (new["outcome"], new["state"]) == ("new", "waiting")
    assert sorted(job.state for job in job_rows()) == ["superseded", "waiting"]
    rule = {"name": "stop", "action": {"run": False}}
    admin.put("/api/v1/rules", json={"revision": 0, "rules": [rule]})
    (skipped,) = again().json()["packages"]
    assert (skipped["outcome"], skipped["state"]) == ("skipped", "refused")
    with database.read() as connection:
        assert len(audit.page(connection, action="study.rerun")) == 5
    texts = [e["text"] for e in client.get(f"/api/v1/studies/{study}/timeline").json()["events"]]
    assert any(text.endswith("yêu cầu xét lại ca chụp: đổi ngưỡng.") for text in texts)
    admin.post(f"{PACKAGE}/disable")
    assert again(package="sample").status_code == 409


def test_moving_a_waiting_job(
    technologist: TestClient,
    client: TestClient,
    send: Send,
    settle: Settle,
    job_rows: Rows,
    database: Database,
    archive: Archive,
) -> None:
    send()
    settle()
    path = f"/api/v1/jobs/{job_rows()[0].id}/priority"
    assert client.post(path, json={"priority": "stat"}).status_code == 403
    assert technologist.post(path, json={"priority": "now"}).status_code == 422
    assert technologist.post(path, json={"priority": "stat"}).status_code == 200
    assert job_rows()[0].priority == 10
    with database.begin() as connection:
        connection.execute(update(jobs).values(state="running"))
    assert technologist.post(path, json={"priority": "routine"}).status_code == 409
    missing = technologist.post("/api/v1/jobs/nothing/priority", json={"priority": "stat"})
    assert missing.status_code == 404
