"""The web application as a client sees it: login, protection, errors, health."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, Depends, Request
from fastapi.testclient import TestClient

from ennead.app import services
from ennead.app.dependencies import require
from ennead.app.web import create_app
from ennead.database import Database
from ennead.errors import Conflict, IntegrityLost, InvalidUID, LimitExceeded, NotFound
from ennead.security import SYSTEM, audit, tokens, users
from ennead.security.principal import Permission, Role
from ennead.settings import HTTPSettings, Settings

PASSWORD = "một câu dễ nhớ 7"
ORIGIN = {"Origin": "http://testserver"}


def _echo_router() -> APIRouter:
    router = APIRouter()
    failures: dict[str, Exception] = {
        "uid": InvalidUID("bad"),
        "gone": NotFound("gone"),
        "conflict": Conflict("same UID"),
        "large": LimitExceeded("large"),
        "lost": IntegrityLost("lost"),
        "bug": RuntimeError("secret of a patient"),
    }

    @router.post("/api/v1/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.get("/api/v1/raise/{kind}")
    def fail(kind: str) -> None:
        raise failures[kind]

    @router.get("/api/v1/reviewers", dependencies=[Depends(require(Permission.FINDING_REVIEW))])
    def reviewers() -> dict[str, str]:
        return {}

    @router.get("/dicom-web/open")
    def forgot_to_require() -> dict[str, str]:
        return {}

    @router.get("/api/v1/number")
    def number(n: int) -> int:
        return n

    return router


class _EchoService:
    name = "echo"

    def processes(self, settings: Settings) -> list[Any]:
        return []

    def routers(self, settings: Settings) -> list[APIRouter]:
        return [_echo_router()]

    def startup(self, settings: Settings) -> None:
        return None


class _BrokenService(_EchoService):
    name = "broken"

    def routers(self, settings: Settings) -> list[APIRouter]:
        raise RuntimeError("no routes today")


def _unloadable() -> object:
    raise ImportError("no module named missing")


@pytest.fixture
def client(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    entries = [
        SimpleNamespace(name="broken", load=_BrokenService),
        SimpleNamespace(name="echo", load=_EchoService),
        SimpleNamespace(name="missing", load=_unloadable),
    ]
    monkeypatch.setattr(services, "entry_points", lambda group: entries)
    small = settings.model_copy(update={"http": HTTPSettings(json_body_limit_bytes=1000)})
    with database.begin() as connection:
        for name, role in (("admin", Role.ADMIN), ("bs.nguyen", Role.RADIOLOGIST)):
            users.add(
                connection,
                settings,
                SYSTEM,
                name=name,
                display_name=name.title(),
                roles=[role],
                password=PASSWORD,
            )
    with TestClient(create_app(small), base_url="http://testserver") as opened:
        yield opened


@pytest.fixture
def bearer(database: Database) -> dict[str, str]:
    with database.begin() as connection:
        secret = tokens.create(connection, SYSTEM, name="test", roles=[Role.ADMIN])
    return {"Authorization": f"Bearer {secret}"}


def _log_in(client: TestClient, name: str = "bs.nguyen") -> dict[str, Any]:
    answer = client.post(
        "/api/v1/session", json={"username": name, "password": PASSWORD}, headers=ORIGIN
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_login_answers_who_one_is_and_sets_two_cookies(client: TestClient) -> None:
    answer = client.post("/api/v1/session", json={"username": "bs.nguyen", "password": PASSWORD})
    body = answer.json()
    assert (body["name"], body["display_name"]) == ("bs.nguyen", "Bs.Nguyen")
    assert body["roles"] == ["radiologist"]
    assert "finding:review" in body["permissions"]
    set_cookies = {c.split("=")[0]: c.lower() for c in answer.headers.get_list("set-cookie")}
    assert "httponly" in set_cookies["ennead_session"]
    assert "httponly" not in set_cookies["ennead_csrf"]
    assert all("samesite=strict" in c and "path=/" in c for c in set_cookies.values())
    assert client.cookies["ennead_csrf"] == body["csrf_token"]
    assert client.get("/api/v1/session").json() == body


def test_wrong_password_and_nobody_are_401_with_a_problem(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/session?lang=vi", json={"username": "bs.nguyen", "password": "wrong"}
    )
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "ENN-0501"
    assert answer.json()["title"] == "Chưa đăng nhập"
    assert client.get("/api/v1/session").status_code == 401


def test_lockout_is_429_and_says_how_long(client: TestClient) -> None:
    wrong = {"username": "bs.nguyen", "password": "wrong"}
    statuses = [client.post("/api/v1/session", json=wrong).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = client.post("/api/v1/session", json=wrong)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a_change_by_cookie_needs_the_csrf_token_and_our_origin(client: TestClient) -> None:
    csrf = _log_in(client)["csrf_token"]
    good = {**ORIGIN, "X-CSRF-Token": csrf}
    assert client.post("/api/v1/echo", content=b"abc", headers=good).json() == {"length": 3}
    assert client.post("/api/v1/echo", headers=ORIGIN).status_code == 403
    assert client.post("/api/v1/echo", headers={**good, "X-CSRF-Token": "x"}).status_code == 403
    for origin in ("http://evil.example", "http://testserver.evil", "null"):
        answer = client.post("/api/v1/echo", headers={**good, "Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "ENN-0502")
    cross = {**good, "Sec-Fetch-Site": "cross-site"}
    assert client.post("/api/v1/echo", headers=cross).status_code == 403


def test_login_from_a_foreign_page_is_refused(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/session",
        json={"username": "admin", "password": PASSWORD},
        headers={"Origin": "http://evil.example"},
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_login_again_works_while_an_old_cookie_is_there(client: TestClient) -> None:
    _log_in(client)
    assert _log_in(client, "admin")["name"] == "admin"


def test_logout_ends_the_session_at_once(client: TestClient) -> None:
    csrf = _log_in(client)["csrf_token"]
    stolen = client.cookies["ennead_session"]
    answer = client.delete("/api/v1/session", headers={**ORIGIN, "X-CSRF-Token": csrf})
    assert answer.status_code == 204
    client.cookies.set("ennead_session", stolen, domain="testserver.local")
    assert client.get("/api/v1/session").status_code == 401


def test_bearer_works_on_every_surface_without_csrf(
    client: TestClient, bearer: dict[str, str]
) -> None:
    assert client.post("/api/v1/echo", content=b"ab", headers=bearer).json() == {"length": 2}
    assert client.get("/dicom-web/open", headers=bearer).status_code == 200
    assert client.get("/api/v1/session", headers=bearer).json()["kind"] == "token"


def test_routes_are_closed_even_when_they_forgot_to_say_so(client: TestClient) -> None:
    assert client.get("/dicom-web/open").status_code == 401
    assert client.post("/api/v1/echo").status_code == 401
    assert client.get("/api/v1/nothing").status_code == 401
    wrong = {"Authorization": "Bearer enn_wrong"}
    assert client.get("/dicom-web/open", headers=wrong).status_code == 401


def test_a_role_without_the_permission_gets_403(client: TestClient, bearer: dict[str, str]) -> None:
    assert client.get("/api/v1/reviewers", headers=bearer).status_code == 403
    _log_in(client)
    assert client.get("/api/v1/reviewers").status_code == 200
    assert client.get("/api/v1/users").status_code == 403
    assert client.get("/api/v1/audit").status_code == 403


def test_a_revoked_token_is_refused_within_five_seconds(
    client: TestClient, bearer: dict[str, str], database: Database
) -> None:
    assert client.get("/api/v1/session", headers=bearer).status_code == 200
    with database.begin() as connection:
        (token,) = tokens.every(connection)
        tokens.revoke(connection, SYSTEM, token.id)
    deadline = time.monotonic() + 5
    while client.get("/api/v1/session", headers=bearer).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("uid", 400, "ENN-0204"),
        ("gone", 404, "ENN-0401"),
        ("conflict", 409, "ENN-0402"),
        ("large", 413, "ENN-0203"),
        ("lost", 503, "ENN-0404"),
        ("bug", 500, "ENN-0000"),
    ],
)
def test_errors_are_problems(
    client: TestClient, bearer: dict[str, str], kind: str, status: int, code: str
) -> None:
    answer = client.get(f"/api/v1/raise/{kind}", headers={**bearer, "Accept-Language": "en"})
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) >= {"type", "title", "status", "code", "detail"}
    assert "secret of a patient" not in answer.text
    assert ("retry-after" in answer.headers) is (status == 503)


def test_validation_names_the_field_but_not_the_value(
    client: TestClient, bearer: dict[str, str]
) -> None:
    answer = client.get("/api/v1/number?n=Nguyen%20Van%20A", headers=bearer)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "query.n"
    assert "Nguyen" not in answer.text


def test_bodies_have_a_limit_declared_or_streamed(
    client: TestClient, bearer: dict[str, str]
) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield from (b"x" * 100 for _ in range(count))

    post = "/api/v1/echo"
    assert client.post(post, content=b"x" * 1000, headers=bearer).json() == {"length": 1000}
    answer = client.post(post, content=b"x" * 1001, headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (413, "ENN-0203")
    assert client.post(post, content=chunks(10), headers=bearer).status_code == 200
    assert client.post(post, content=chunks(11), headers=bearer).status_code == 413
    odd = {**bearer, "Content-Length": "-1"}
    assert client.post(post, content=b"", headers=odd).status_code == 413


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/livez", "/api/v1/session", "/api/v1/texts/vi", "/metrics"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "same-origin"
    assert client.get("/api/v1/session").headers["cache-control"] == "no-store"


def test_health_and_metrics(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]) == (503, [])
    client.get("/livez")
    text = client.get("/metrics").text
    assert 'ennead_http_requests_total{method="GET",route="/livez",status="200"}' in text


def test_metrics_and_logs_name_the_route_not_the_address(
    client: TestClient, bearer: dict[str, str]
) -> None:
    client.get("/api/v1/raise/gone?name=Nguyen", headers=bearer)
    text = client.get("/metrics").text
    assert 'route="/api/v1/raise/{kind}"' in text
    assert "Nguyen" not in text


def test_the_sites_language_is_told_to_anybody(client: TestClient) -> None:
    client.headers.pop("authorization", None)
    assert client.get("/api/v1/texts").json() == {"default": "vi", "languages": ["vi", "en"]}


def test_texts_of_both_languages_have_the_same_keys(client: TestClient) -> None:
    vi, en = (client.get(f"/api/v1/texts/{language}").json() for language in ("vi", "en"))
    assert vi["errors.ENN-0501.title"] == "Chưa đăng nhập"
    assert set(vi) == set(en)
    etag = client.get("/api/v1/texts/vi").headers["etag"]
    again = client.get("/api/v1/texts/vi", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/v1/texts/fr").status_code == 404


def test_users_are_managed_by_an_administrator(client: TestClient, bearer: dict[str, str]) -> None:
    new = {"name": "ktv.tran", "roles": ["technologist"], "password": "khỏe như voi con"}
    assert client.post("/api/v1/users", json=new, headers=bearer).status_code == 201
    assert client.post("/api/v1/users", json=new, headers=bearer).status_code == 409
    weak = {**new, "name": "other", "password": "short"}
    assert client.post("/api/v1/users", json=weak, headers=bearer).json()["code"] == "ENN-0205"
    listed = client.get("/api/v1/users", headers=bearer)
    assert [u["name"] for u in listed.json()["users"]] == ["admin", "bs.nguyen", "ktv.tran"]
    assert "argon2" not in listed.text
    closed = client.post("/api/v1/users/ktv.tran/disable", headers=bearer).json()
    assert closed["disabled"] is True
    assert client.post("/api/v1/users/ktv.tran/enable", headers=bearer).json()["disabled"] is False
    assert client.post("/api/v1/users/nobody/disable", headers=bearer).status_code == 404


def test_people_change_their_own_password_with_the_present_one(client: TestClient) -> None:
    csrf = _log_in(client)["csrf_token"]
    headers = {**ORIGIN, "X-CSRF-Token": csrf}
    path = "/api/v1/users/bs.nguyen/password"
    body = {"password": "một câu khác hẳn", "present_password": "wrong"}
    assert client.post(path, json=body, headers=headers).status_code == 403
    other = client.post("/api/v1/users/admin/password", json=body, headers=headers)
    assert other.status_code == 403
    body["present_password"] = PASSWORD
    assert client.post(path, json=body, headers=headers).status_code == 204


def test_the_audit_is_read_and_verified(
    client: TestClient, bearer: dict[str, str], database: Database
) -> None:
    _log_in(client)
    page = client.get("/api/v1/audit?limit=2", headers=bearer).json()
    assert page["entries"][0]["action"] == "login"
    assert page["entries"][0]["principal"] == "bs.nguyen"
    assert page["next_before"] == page["entries"][-1]["id"]
    assert client.get("/api/v1/audit/verification", headers=bearer).json()["intact"] is True
    with database.begin() as connection:
        connection.exec_driver_sql("update audit set action = 'x' where id = 2")
    found = client.get("/api/v1/audit/verification", headers=bearer).json()
    assert (found["intact"], found["problems"][0]["id"]) == (False, 2)


def test_a_service_that_fails_does_not_stop_the_others(
    client: TestClient, bearer: dict[str, str]
) -> None:
    state = {s.name: s.error for s in client.app.state.services}  # type: ignore[attr-defined]
    assert "no routes today" in state["broken"]
    assert "missing" in state["missing"]
    assert state["echo"] == ""
    assert client.get("/dicom-web/open", headers=bearer).status_code == 200


def test_openapi_is_served(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert {"/api/v1/session", "/api/v1/users", "/api/v1/audit", "/readyz"} <= set(paths)


def test_logins_are_in_the_chain(client: TestClient, database: Database) -> None:
    _log_in(client)
    with database.read() as connection:
        assert [e.action for e in audit.page(connection, limit=1)] == ["login"]
