"""The outermost layer around every request: headers, log line, metrics, span, last resort.

One pure ASGI class, because image requests pass here by the thousand.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ennead.app.problems import problem
from ennead.settings import Settings
from ennead.telemetry import span

REQUESTS: Final = Counter(
    "ennead_http_requests_total", "Answers by route and status.", ("method", "route", "status")
)
SECONDS: Final = Histogram(
    "ennead_http_request_seconds",
    "Time to the end of the answer, by route.",
    ("route",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

#: What an answer gets that does not bring its own policy; pages of the web build bring theirs.
DEFAULT_CSP: Final = "default-src 'none'; img-src 'self'; frame-ancestors 'self'"
_SLOW_S: Final = 1.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger(__name__)


class Envelope:
    """Wraps ``app``; never raises for an HTTP request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._traced = bool(settings.telemetry.otlp_endpoint)
        headers = {
            "content-security-policy": DEFAULT_CSP,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "x-frame-options": "SAMEORIGIN",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "geolocation=(), payment=(), usb=()",
        }
        if settings.http.secure_cookies:
            headers["strict-transport-security"] = "max-age=31536000"
        self._headers = [(k.encode(), v.encode()) for k, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def sender(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(scope, message)
            await send(message)

        try:
            if self._traced:
                with span(f"{scope['method']} http") as current:
                    await self._app(scope, receive, sender)
                    current.update_name(f"{scope['method']} {_route(scope)}")
                    current.set_attribute("http.response.status_code", status)
            else:
                await self._app(scope, receive, sender)
        except Exception:
            log.exception("request crashed", method=scope["method"], route=_route(scope))
            if not status:
                answer = problem(500, "ENN-0000", "An unexpected error; the log has its cause.")
                await answer(scope, receive, sender)
            else:  # the answer has begun: cut it off rather than end it as if whole
                raise
        finally:
            _note(scope, status, time.perf_counter() - began)

    def _add_headers(self, scope: Scope, message: Message) -> None:
        headers = list(message.get("headers", ()))
        given = {name.lower() for name, _ in headers}
        headers += [h for h in self._headers if h[0] not in given]
        if b"cache-control" not in given and scope["path"].startswith("/api/"):
            headers.append((b"cache-control", b"no-store"))
        message["headers"] = headers


def _route(scope: Scope) -> str:
    """The route's template, never the address itself: addresses may hold identifiers."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "(none)"


def _note(scope: Scope, status: int, took_s: float) -> None:
    method, route = scope["method"], _route(scope)
    if method not in _METHODS:
        method = "OTHER"
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(route).observe(took_s)
    unusual = status >= 400 or status == 0 or took_s > _SLOW_S
    write = log.info if unusual or method not in ("GET", "HEAD") else log.debug
    write(
        "request",
        method=method,
        route=route,
        status=status,
        took_ms=round(took_s * 1000, 1),
    )
