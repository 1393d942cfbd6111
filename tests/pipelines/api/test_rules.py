"""Rules over HTTP: one list with a revision, refused whole, undone, tried on stored studies."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ennead.security import Role

Send = Callable[..., str]
Settle = Callable[[], None]
SKIP = {"name": "Bỏ qua", "condition": {"package": ["sample"]}, "action": {"run": False}}


@pytest.fixture
def admin(client_of: Callable[..., TestClient]) -> TestClient:
    return client_of(Role.ADMIN, "quản trị")


def put(client: TestClient, revision: int, *rules: dict[str, Any], lang: str = "vi") -> Any:
    body = {"revision": revision, "rules": list(rules), "comment": "vì"}
    return client.put("/api/v1/rules", json=body, params={"lang": lang})


def test_reading_and_writing_needs_the_permission(client: TestClient) -> None:
    assert client.get("/api/v1/rules").status_code == 403
    assert put(client, 0).status_code == 403
    assert client.post("/api/v1/rules/test", json={}).status_code == 403


def test_the_list_comes_back_with_every_key_and_words(admin: TestClient) -> None:
    empty = admin.get("/api/v1/rules").json()
    assert (empty["revision"], empty["rules"], empty["changed_at"]) == (0, [], None)
    assert empty["time_zone"] == "Asia/Ho_Chi_Minh"
    written = put(admin, 0, SKIP).json()
    assert (written["revision"], written["changed_by"]) == (1, "quản trị")
    (rule,) = written["rules"]
    assert rule["text"] == "Gói sample → không chạy"
    assert rule["condition"]["age_years"] is None
    assert rule["action"] == {
        "run": False, "priority": "routine", "window": None, "lane": None, "thresholds": {},
    }  # fmt: skip
    # What was read may be sent back as it is.
    again = put(admin, 1, *written["rules"]).json()
    assert (again["revision"], again["rules"]) == (2, written["rules"])
    assert admin.get("/api/v1/rules", params={"lang": "en"}).json()["rules"][0]["text"] == (
        "Package sample → do not run"
    )


def test_a_wrong_rule_or_an_old_revision_changes_nothing(admin: TestClient) -> None:
    put(admin, 0, SKIP)
    wrong = {"name": "b", "condition": {"hours": {"from": "25:00", "to": "06:00"}}}
    refused = put(admin, 1, SKIP, wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "ENN-0210")
    (error,) = refused.json()["errors"]
    assert (error["position"], error["rule"], error["where"]) == (2, "b", "condition.hours.from")
    assert error["message"].startswith("Quy tắc 2 “b”, condition.hours.from: “25:00” không đúng")
    unknown = put(admin, 1, {**SKIP, "condition": {"package": ["phổi"]}}, lang="en")
    assert unknown.status_code == 400
    gone = put(admin, 1, {**SKIP, "condition": {"package": ["lungs"]}}, lang="en").json()
    assert gone["title"] == "A rule of the site is not valid"
    assert "there are: sample" in gone["detail"]
    stale = put(admin, 0, SKIP)
    assert (stale.status_code, stale.json()["code"]) == (409, "ENN-0402")
    assert admin.get("/api/v1/rules").json()["revision"] == 1


def test_undo_and_history(admin: TestClient) -> None:
    put(admin, 0, SKIP)
    put(admin, 1)
    undone = admin.post("/api/v1/rules/undo", json={"revision": 2}).json()
    assert (undone["revision"], [r["name"] for r in undone["rules"]]) == (3, ["Bỏ qua"])
    revisions = admin.get("/api/v1/rules/history").json()["revisions"]
    assert [(r["revision"], r["restored"], r["added"], r["removed"]) for r in revisions] == [
        (3, 1, ["Bỏ qua"], []),
        (2, None, [], ["Bỏ qua"]),
        (1, None, ["Bỏ qua"], []),
    ]
    assert (revisions[1]["by"], revisions[1]["comment"]) == ("quản trị", "vì")
    assert admin.get("/api/v1/rules/history/1").json()["rules"] == undone["rules"]
    assert admin.get("/api/v1/rules/history/9").status_code == 404
    assert admin.post("/api/v1/rules/undo", json={"revision": 1}).status_code == 409


def test_options_and_schema(admin: TestClient, send: Send) -> None:
    send(StationName="CT01")
    options = admin.get("/api/v1/rules/options").json()
    (package,) = options["packages"]
    assert (package["id"], package["title"], package["model"]) == ("sample", "Mẫu thử", False)
    assert package["thresholds"] == [
        {"id": "bright_hu", "title": "bright_hu", "default": 50.0, "bounds": [0.0, 200.0]}
    ]
    assert [p["value"] for p in options["priorities"]] == [10, 50, 90]
    assert options["weekdays"][6] == {"id": "sun", "title": "Chủ nhật"}
    assert options["seen"] == {
        "source": ["test"], "modality": ["CT"], "body_part": ["CHEST"], "station": ["CT01"],
    }  # fmt: skip
    assert admin.get("/api/v1/rules/schema").json()["type"] == "array"


def test_trying_rules_on_stored_studies(admin: TestClient, send: Send, settle: Settle) -> None:
    study = send()
    settle()
    body = {"rules": [SKIP], "studies": [study, "1.2.3"]}
    answer = admin.post("/api/v1/rules/test", json=body).json()
    assert answer["proposed"] == {"rules": True, "thresholds": False, "packages": False}
    assert (answer["missing"], answer["summary"]["skipped"]) == (["1.2.3"], 1)
    assert answer["studies"][0]["packages"][0]["changes"][0]["what"] == "outcome"
    same = admin.post("/api/v1/rules/test", json={"last": 1}).json()
    assert same["summary"] == {"studies": 1, "run": 1, "refused": 0, "skipped": 0, "different": 0}
    for wrong, status in (
        ({"rules": [{"name": ""}]}, 400),
        ({"last": 5, "yesterday": True}, 400),
        ({"last": 0}, 422),
        ({"at": "2026-11-25T22:00"}, 422),
        ({"thresholds": {"sample": {"bright_hu": 900}}}, 400),
        ({"packages": ["x"]}, 404),
    ):
        assert admin.post("/api/v1/rules/test", json=wrong).status_code == status, wrong
