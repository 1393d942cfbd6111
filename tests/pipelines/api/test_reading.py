"""Worklist, study, timeline, jobs and findings as a client reads them."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ennead.security import Role

Measured = Callable[..., str]


def get(client: TestClient, path: str, language: str = "vi", **query: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", params={"lang": language, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_findings_in_both_languages(client: TestClient, measured: Measured) -> None:
    study = measured(KVP=80)
    body = get(client, f"studies/{study}/findings")
    (finding,) = body["findings"]
    assert finding["title"] == "Vùng sáng"
    assert (finding["state"], finding["unverified"], finding["decision"]) == (
        "proposed",
        True,
        None,
    )
    (volume,) = finding["measurements"]
    assert volume["value"] == pytest.approx(0.225, rel=1e-9)
    assert (volume["shown"], volume["unit"]) == ("0,23", "cm3")
    assert volume["formula"] == "ennead.testing.sample.pipeline:volume_cm3"
    assert (volume["plausible"], volume["outside_plausible"]) == ([0.1, 10.0], False)
    (segment,) = finding["segments"]
    assert (segment["number"], segment["title"]) == (1, "Vùng sáng")
    # The box spans slices 2–4, rows 1–5, columns 2–5: its centre lies at these patient LPS mm.
    x, y, z = finding["key_image"]["point_mm"]
    assert x == pytest.approx(-10 + 1.25 * 3, abs=1.25)
    assert y == pytest.approx(20 + 1.5 * 3, abs=1e-6)
    assert z in (34.0, 36.0, 38.0)
    (refusal,) = body["refusals"]
    assert (refusal["package"], refusal["code"], refusal["subject"]) == (
        "sample",
        "TECHNIQUE",
        "mean_hu",
    )
    assert refusal["subject_title"] == "Đậm độ trung bình"
    assert refusal["text"] == "Điện thế bóng 80 kVp; cần từ 100 đến 140 kVp."
    assert body["intended_use"]["sample"]["status"] == "research"
    english = get(client, f"studies/{study}/findings", "en")
    assert english["findings"][0]["measurements"][0]["shown"] == "0.23"
    assert english["refusals"][0]["text"].startswith("Tube voltage 80 kVp")


def test_an_implausible_value_is_flagged_and_shown(client: TestClient, measured: Measured) -> None:
    study = measured()
    measurements = get(client, f"studies/{study}/findings")["findings"][0]["measurements"]
    mean = {m["id"]: m for m in measurements}["mean_hu"]
    assert (mean["value"], mean["plausible"], mean["outside_plausible"]) == (
        100.0,
        [0.0, 50.0],
        True,
    )


def test_jobs(client: TestClient, measured: Measured) -> None:
    study = measured()
    (job,) = get(client, f"studies/{study}/jobs")["jobs"]
    assert (job["package"], job["title"], job["state"]) == ("sample", "Mẫu thử", "done")
    assert job["fraction"] == 1.0
    assert set(job["result"]) == {
        "seg_instance_uid",
        "seg_series_uid",
        "sr_instance_uid",
        "sr_series_uid",
    }
    assert job["started_at"].endswith("Z")


def test_a_refused_study_says_why(client: TestClient, measured: Measured) -> None:
    study = measured(BodyPartExamined="HEAD")
    (job,) = get(client, f"studies/{study}/jobs")["jobs"]
    assert job["state"] == "refused"
    assert job["reason"] == "Gói này cần vùng CHEST, ABDOMEN; loạt ảnh ghi vùng HEAD."
    assert [r["code"] for r in job["refusals"]] == ["BODY_PART", "NO_SERIES"]
    (item,) = get(client, "studies")["studies"]
    assert item["ai"]["state"] == "refused"
    texts = [e["text"] for e in get(client, f"studies/{study}/timeline")["events"]]
    assert any("HEAD" in text for text in texts)


def test_timeline(client: TestClient, measured: Measured) -> None:
    study = measured()
    events = get(client, f"studies/{study}/timeline")["events"]
    assert [e["step"] for e in events] == [
        "received",
        "settled",
        "selected",
        "queued",
        "loaded",
        "measured",
        "stored",
    ]
    assert events[0]["text"] == "Đã nhận 8 ảnh trong 1 loạt ảnh."
    assert events[-2]["duration_s"] > 0
    assert {link["label"] for link in events[-1]["links"]} == {
        "Mở trong trình xem",
        "Phân vùng",
        "Báo cáo",
    }
    assert not any("{" in e["text"] or "timeline." in e["text"] for e in events)


def test_study_with_its_series(client: TestClient, measured: Measured) -> None:
    study = measured()
    body = get(client, f"studies/{study}")
    owners = {(s["modality"], s["package"]) for s in body["series"]}
    assert owners == {("CT", None), ("SEG", "sample"), ("SR", "sample")}
    assert body["ai"] == {
        "state": "ready",
        "urgent": False,
        "findings": 1,
        "accepted": 0,
        "rejected": 0,
    }


def test_worklist_order_search_and_filters(client: TestClient, measured: Measured) -> None:
    old = measured(seed="1", StudyDate="20240101", PatientName="Đặng^Thị^Ánh")
    new = measured(seed="2", StudyDate="20250101", PatientName="Nguyễn^Văn^Bình")
    urgent = measured(seed="3", StudyDate="20230101", SeriesDescription="urgent")
    refused = measured(seed="4", StudyDate="20220101", modality="MR")

    def uids(**query: Any) -> list[str]:
        return [s["study_uid"] for s in get(client, "studies", **query)["studies"]]

    assert uids() == [urgent, new, old, refused]
    assert uids(search="dang anh") == [old]
    assert uids(modality="MR") == [refused]
    assert uids(ai="ready") == [urgent, new, old]
    assert uids(ai="refused,failed") == [refused]
    assert uids(date_from="2024-01-01", date_to="2024-12-31") == [old]
    assert uids(limit=1, offset=1) == [new]
    assert get(client, "studies", limit=1)["total"] == 4
    assert client.get("/api/v1/studies", params={"ai": "maybe"}).status_code == 400
    assert client.get("/api/v1/studies", params={"date_from": "01/02"}).status_code == 400


@pytest.mark.parametrize("what", ["", "/timeline", "/jobs", "/findings"])
def test_an_unknown_study_is_not_found(client: TestClient, what: str) -> None:
    answer = client.get(f"/api/v1/studies/1.2.3{what}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["studies", "packages", "events", "studies/1.2/findings"])
def test_nothing_without_login(app: FastAPI, path: str) -> None:
    with TestClient(app) as anonymous:
        assert anonymous.get(f"/api/v1/{path}").status_code == 401


def test_packages_and_switching(
    client_of: Callable[..., TestClient], measured: Measured, send: Any, settle: Any, job_rows: Any
) -> None:
    measured()
    admin, reader = client_of(Role.ADMIN, "admin"), client_of()
    (item,) = get(reader, "packages")["packages"]
    assert (item["id"], item["enabled"], item["jobs"]["done"]) == ("sample", True, 1)
    assert item["inputs"][0]["rules"][0] == "Ít nhất 4 lát cắt."
    assert [o["id"] for o in item["outputs"]] == ["bright", "volume", "mean_hu"]
    assert reader.post("/api/v1/packages/sample/disable").status_code == 403
    assert admin.post("/api/v1/packages/sample/disable").json()["enabled"] is False
    send(seed="other")
    settle()
    assert len(job_rows()) == 1
    assert admin.post("/api/v1/packages/sample/enable").json()["enabled"] is True
    assert admin.post("/api/v1/packages/nothing/enable").status_code == 404
    audited = admin.get("/api/v1/audit").text
    assert "package.disabled" in audited
