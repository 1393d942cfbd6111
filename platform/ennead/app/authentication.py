"""Who asks: bearer token or session cookie, before any route sees the request.

Closed by default: under ``/api/``, ``/dicom-web`` and ``/fhir`` nothing answers without a
principal except the few public routes named here. A change that rests on a cookie must come from
our own page (Origin) and carry the session's CSRF token; bearer tokens are never sent by a browser
on its own, so they need neither.
"""

from __future__ import annotations

from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Final

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from ennead.app.problems import of_error
from ennead.errors import EnneadError, NotAuthenticated, NotPermitted
from ennead.security.authenticator import Authenticator
from ennead.security.principal import Principal
from ennead.security.sessions import csrf_matches
from ennead.settings import Settings

SESSION_COOKIE: Final = "ennead_session"
CSRF_COOKIE: Final = "ennead_csrf"

_CLOSED: Final = ("/api/", "/dicom-web", "/fhir")
_OPEN: Final = frozenset({"/api/v1/session", "/api/v1/openapi.json", "/api/v1/texts"})
_OPEN_PREFIX: Final = "/api/v1/texts/"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Authentication:
    """Sets ``request.state.principal`` (or None), or answers 401 or 403 itself."""

    def __init__(self, app: ASGIApp, settings: Settings, authenticator: Authenticator) -> None:
        self._app = app
        self._settings = settings
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _first(scope)
        try:
            principal, cookie = await self._principal(scope, headers)
            _check_origin(scope, headers, cookie)
            path = scope["path"]
            if (
                principal is None
                and path.startswith(_CLOSED)
                and path not in _OPEN
                and not path.startswith(_OPEN_PREFIX)
            ):
                raise NotAuthenticated(
                    "Log in, or send a bearer token in force (ennead token --role …)."
                )
        except EnneadError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            language = headers.get(b"accept-language", self._settings.portal.language)[:2]
            await of_error(error, language if language in ("vi", "en") else "en")(
                scope, receive, send
            )
            return
        state = scope.setdefault("state", {})
        state["principal"] = principal
        state["session_token"] = cookie
        await self._app(scope, receive, send)

    async def _principal(
        self, scope: Scope, headers: dict[bytes, str]
    ) -> tuple[Principal | None, str]:
        """The principal, and the session token where the request rests on a cookie."""
        kind, secret = "bearer", ""
        scheme, _, value = headers.get(b"authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            secret = value.strip()
        else:
            kind, secret = "session", _cookie(headers.get(b"cookie", ""))
        if not secret:
            return None, ""
        fresh, principal = self._authenticator.remembered(kind, secret)
        if not fresh:
            principal = await to_thread.run_sync(self._authenticator.resolve, kind, secret)
        if principal is None:
            return None, ""
        address = (scope.get("client") or ("",))[0]
        return replace(principal, address=address), secret if kind == "session" else ""


def _check_origin(scope: Scope, headers: dict[bytes, str], cookie: str) -> None:
    changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
    if not changes or b"authorization" in headers:
        return
    origin = headers.get(b"origin", "")
    site = headers.get(b"sec-fetch-site", "same-origin")
    foreign = origin.partition("://")[2] != headers.get(b"host", "") if origin else False
    if foreign or site not in ("same-origin", "none"):
        raise NotPermitted(
            "A change must come from this server's own pages; this one came from another origin."
        )
    is_login = scope["path"] == "/api/v1/session" and scope.get("method") == "POST"
    if cookie and not is_login and scope["type"] == "http":
        if not csrf_matches(cookie, headers.get(b"x-csrf-token", "")):
            raise NotPermitted(
                f"A change with a session cookie needs the header X-CSRF-Token with the value of "
                f"the cookie {CSRF_COOKIE}; reload the page."
            )


def _cookie(header: str) -> str:
    if SESSION_COOKIE not in header:
        return ""
    try:
        morsel = SimpleCookie(header).get(SESSION_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _first(scope: Scope) -> dict[bytes, str]:
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value.decode("latin-1"))
    return headers
