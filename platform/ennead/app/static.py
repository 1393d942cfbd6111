"""The built portal and viewer, served from one table of known files.

``platform/web/build.py`` writes ``files.json``: address, file, type, ETag, compressed variants.
Only addresses in that table are served, so no request can name another file. Portal and viewer
share the root because OHIF asks for its files there.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from ennead.app.dependencies import get_language
from ennead.errors import NotFound
from ennead.settings import Settings
from ennead.texts import translate

VIEWER_SCRIPTS = "'wasm-unsafe-eval' 'unsafe-eval'"
"""The image codecs in WebAssembly that the viewer brings build functions from strings."""
PORTAL_PAGES = (
    "/",
    "/devices",
    "/login",
    "/models",
    "/models/new",
    "/packages",
    "/queue",
    "/rules",
    "/studies",
)
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' {scripts}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


def web_root(settings: Settings) -> Path:
    """Where the built files lie: the setting, else ``platform/web/dist`` of the checkout."""
    return settings.portal.web_root or Path(__file__).parents[2] / "web" / "dist"


@dataclass(slots=True)
class WebFiles:
    """The table in force; read again when a new build has replaced it."""

    root: Path
    _read_at_ns: int = -1
    _table: Mapping[str, Mapping[str, Any]] | None = None

    def find(self, address: str) -> Mapping[str, Any] | None:
        """The row of an address, or None."""
        return self.table().get(address)

    def table(self) -> Mapping[str, Mapping[str, Any]]:
        """Address → row; empty when nothing is built."""
        listing = self.root / "files.json"
        try:
            written = listing.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if self._table is None or written != self._read_at_ns:
            self._table = json.loads(listing.read_text(encoding="utf-8"))
            self._read_at_ns = written
        return self._table


def mount(app: FastAPI, settings: Settings) -> None:
    """Serve portal, viewer and their files; to be called after every other route is there."""
    mimetypes.add_type("application/wasm", ".wasm")
    files = WebFiles(web_root(settings))

    def portal(request: Request) -> Response:
        """The portal; its own router reads the address."""
        return _page(request, files, "/portal/index.html")

    def study_page(request: Request, study_uid: str) -> Response:
        """The portal at one study."""
        return _page(request, files, "/portal/index.html")

    def facts_page(request: Request, name: str) -> Response:
        """The portal at the facts of one model or package."""
        return _page(request, files, "/portal/index.html")

    def viewer(request: Request) -> Response:
        """The viewer, for whoever is logged in."""
        if getattr(request.state, "principal", None) is None:
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(wanted, safe='')}", status_code=303)
        return _page(request, files, "/viewer/index.html", VIEWER_SCRIPTS)

    def asset(request: Request, path: str) -> Response:
        """One built file."""
        row = files.find(f"/{path}")
        if row is None or path.endswith("index.html"):
            raise NotFound(f"There is nothing at /{path}.")
        response = _file(request, files.root, row)
        if row["type"].startswith("text/javascript"):  # a worker obeys its own file's policy
            response.headers["Content-Security-Policy"] = _policy(VIEWER_SCRIPTS)
        return response

    methods = ["GET", "HEAD"]
    for address in PORTAL_PAGES:
        app.add_api_route(address, portal, methods=methods, include_in_schema=False)
    app.add_api_route("/studies/{study_uid}", study_page, methods=methods, include_in_schema=False)
    app.add_api_route(
        "/studies/{study_uid}/images", study_page, methods=methods, include_in_schema=False
    )
    for address in ("/models/{name}", "/models/{name}/difference", "/packages/{name}"):
        app.add_api_route(address, facts_page, methods=methods, include_in_schema=False)
    app.add_api_route("/viewer", viewer, methods=methods, include_in_schema=False)
    app.add_api_route("/{path:path}", asset, methods=methods, include_in_schema=False)


def _page(request: Request, files: WebFiles, address: str, scripts: str = "") -> Response:
    row = files.find(address)
    if row is None:
        return _not_built(request)
    response = _file(request, files.root, row)
    allowed = " ".join([scripts, *(f"'{digest}'" for digest in row.get("scripts", ()))])
    response.headers["Content-Security-Policy"] = _policy(allowed)
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def _policy(scripts: str) -> str:
    return CONTENT_SECURITY_POLICY.format(scripts=scripts)


def _file(request: Request, root: Path, row: Mapping[str, Any]) -> Response:
    headers = {
        "ETag": f'"{row["etag"]}"',
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": (
            "public, max-age=31536000, immutable" if row["immutable"] else "no-cache"
        ),
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    accepted = _accepted(request.headers.get("accept-encoding", ""))
    file = root / row["file"]
    for encoding in row["encodings"]:
        if encoding in accepted:
            headers["Content-Encoding"] = encoding
            file = file.with_name(f"{file.name}.{'gz' if encoding == 'gzip' else encoding}")
            break
    return FileResponse(file, media_type=row["type"], headers=headers)


def _accepted(header: str) -> frozenset[str]:
    """Encodings named by Accept-Encoding with a weight above zero (RFC 9110 §12.5.3)."""
    found = set()
    for part in header.split(","):
        name, _, parameter = part.partition(";")
        weight = parameter.partition("=")[2].strip() or "1"
        if weight.strip("0."):
            found.add(name.strip().lower())
    return frozenset(found)


def _not_built(request: Request) -> Response:
    language = get_language(request)
    title = translate("portal.not_built.title", language)
    text = translate("portal.not_built.text", language)
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>Ennead</title>'
        f'<body style="font:16px/1.6 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem">'
        f"<h1>{title}</h1><p>{text}</p><pre>make setup</pre></body></html>",
        status_code=503,
        headers={"Cache-Control": "no-store", "Retry-After": "60"},
    )
