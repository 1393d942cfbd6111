"""Serving the built web: which addresses, which variants, which policies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from ennead.app import problems, static
from ennead.security import SYSTEM
from ennead.settings import Settings

SCRIPT = b"console.log('portal')" * 200


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small build, published with the real publisher."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "platform" / "web"))
    from building.publish import publish

    root = tmp_path / "dist"
    for name, content in {
        "portal/index.html": b"<!doctype html><title>portal</title>",
        "portal/portal/index-AbCd1234.js": SCRIPT,
        "viewer/index.html": b"<title>viewer</title><script>window.PUBLIC_URL='/'</script>",
        "viewer/app-config.js": b"window.config = 1",
        "viewer/0123456789abcdef.wasm": b"\0asm" + bytes(2000),
        "secret.txt": b"not published",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    publish(root)
    return root


def _client(root: Path, tmp_path: Path, *, logged_in: bool = True) -> TestClient:
    settings = Settings.load(tmp_path / "home", portal={"web_root": root})
    app = FastAPI()
    app.state.settings = settings
    problems.install(app)

    @app.middleware("http")
    async def log_in(request: Request, call_next: Callable[[Request], object]) -> Response:
        request.state.principal = SYSTEM if logged_in else None
        return await call_next(request)  # type: ignore[misc]

    @app.get("/api/v1/here")
    def here() -> dict[str, str]:
        return {"api": "first"}

    static.mount(app, settings)
    return TestClient(app, follow_redirects=False)


@pytest.mark.parametrize(
    "address", ["/", "/login", "/studies", "/studies/1.2.3", "/studies/1.2.3/images", "/packages"]
)
def test_every_portal_address_gives_the_portal(built: Path, tmp_path: Path, address: str) -> None:
    answer = _client(built, tmp_path, logged_in=False).get(address)
    assert answer.status_code == 200
    assert "<title>portal</title>" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"].split("style-src")[0]


def test_viewer_needs_a_login_and_comes_back_to_the_study(built: Path, tmp_path: Path) -> None:
    answer = _client(built, tmp_path, logged_in=False).get("/viewer?StudyInstanceUIDs=1.2")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fviewer%3FStudyInstanceUIDs%3D1.2"


def test_viewer_page_allows_its_own_inline_scripts_only(built: Path, tmp_path: Path) -> None:
    answer = _client(built, tmp_path).get("/viewer?StudyInstanceUIDs=1.2")
    assert "<title>viewer</title>" in answer.text
    policy = answer.headers["content-security-policy"]
    # printf %s "window.PUBLIC_URL='/'" | openssl dgst -sha256 -binary | base64
    assert "'sha256-HduPiktadII+Ke0c0x0RDAVGFJI6aQ6PhDHdHF3LX+w='" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_hashed_files_are_kept_for_ever_and_others_are_asked_for_again(
    built: Path, tmp_path: Path
) -> None:
    client = _client(built, tmp_path)
    hashed = client.get("/portal/index-AbCd1234.js")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    plain = client.get("/app-config.js")
    assert plain.headers["cache-control"] == "no-cache"
    again = client.get("/app-config.js", headers={"If-None-Match": plain.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate", "gzip"),
        ("identity", None),
        ("gzip;q=0, *;q=0", None),
        ("gzip;q=0.5", "gzip"),
    ],
)
def test_compressed_variant_is_served_to_those_who_take_it(
    built: Path, tmp_path: Path, accept: str, encoding: str | None
) -> None:
    client = _client(built, tmp_path)
    with client.stream(
        "GET", "/portal/index-AbCd1234.js", headers={"Accept-Encoding": accept}
    ) as answer:
        raw = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["vary"] == "Accept-Encoding"
    assert (gzip.decompress(raw) if encoding else raw) == SCRIPT


def test_webassembly_has_its_type(built: Path, tmp_path: Path) -> None:
    answer = _client(built, tmp_path).get("/0123456789abcdef.wasm")
    assert answer.headers["content-type"] == "application/wasm"


@pytest.mark.parametrize(
    "address",
    [
        "/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/files.json",
        "/nothing.js",
        "/portal/index-AbCd1234.js.gz",
        "/viewer/index.html",
        "/api/v1/nowhere",
    ],
)
def test_nothing_outside_the_table_is_served(built: Path, tmp_path: Path, address: str) -> None:
    assert _client(built, tmp_path).get(address).status_code == 404


def test_other_routes_come_first(built: Path, tmp_path: Path) -> None:
    assert _client(built, tmp_path).get("/api/v1/here").json() == {"api": "first"}


@pytest.mark.parametrize(("language", "word"), [("vi", "Giao diện"), ("en", "not built")])
def test_without_a_build_the_page_says_what_to_do(tmp_path: Path, language: str, word: str) -> None:
    answer = _client(tmp_path / "empty", tmp_path).get("/studies", params={"lang": language})
    assert answer.status_code == 503
    assert "make setup" in answer.text
    assert word in answer.text


def test_a_new_build_is_seen_without_a_restart(built: Path, tmp_path: Path) -> None:
    client = _client(built, tmp_path)
    assert client.get("/icon.svg").status_code == 404
    (built / "portal" / "icon.svg").write_bytes(b"<svg/>")
    from building.publish import publish

    publish(built)
    assert client.get("/icon.svg").text == "<svg/>"


def test_table_names_what_it_serves(built: Path) -> None:
    table = json.loads((built / "files.json").read_text())
    assert set(table) == {
        "/portal/index.html",
        "/portal/index-AbCd1234.js",
        "/viewer/index.html",
        "/app-config.js",
        "/0123456789abcdef.wasm",
    }
