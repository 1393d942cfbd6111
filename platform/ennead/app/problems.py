"""Errors as ``application/problem+json`` (RFC 9457): type, title, status, code, detail.

The title is in the reader's language (``texts/*/errors.toml``); the detail is the error's own
sentence. Values that a client sent are never repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ennead import errors
from ennead.app.dependencies import get_language
from ennead.texts import translate

MEDIA_TYPE: Final = "application/problem+json"

# The most special class first.
_STATUS: Final[tuple[tuple[type[errors.EnneadError], int], ...]] = (
    (errors.LimitExceeded, 413),
    (errors.Undecodable, 406),
    (errors.NotAcceptable, 406),
    (errors.UnsupportedMedia, 415),
    (errors.CallRefused, 422),
    (errors.InputError, 400),
    (errors.GeometryError, 400),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.OutOfResources, 503),
    (errors.IntegrityLost, 503),
    (errors.NotAuthenticated, 401),
    (errors.NotPermitted, 403),
    (errors.AuditUnavailable, 503),
    (errors.TooManyAttempts, 429),
    (errors.NoAnswerInTime, 504),
    (errors.ServiceError, 503),
    (errors.LicenceNotAccepted, 409),
    (errors.TransitionRefused, 409),
    (errors.WeightsMissing, 409),
    (errors.WeightsFetchFailed, 502),
    (errors.RunnerUnavailable, 503),
    (errors.ModelError, 422),
)
_HTTP_CODES: Final = {
    401: errors.NotAuthenticated.code,
    403: errors.NotPermitted.code,
    404: errors.NotFound.code,
    413: errors.LimitExceeded.code,
}
_RETRY_AFTER_S: Final = 10

log = structlog.get_logger(__name__)


def status_of(error: errors.EnneadError) -> int:
    """HTTP status of an error class; 500 for those that no client can cause."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    language: str = "en",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """A problem answer; ``code`` is an ``ENN-…`` code."""
    key = f"errors.{code}.title"
    title = translate(key, language)
    body = {
        "type": f"urn:ennead:error:{code}",
        "title": HTTPStatus(status).phrase if title == key else title,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    extra = dict(headers or {})
    if status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        extra.setdefault("Retry-After", str(_RETRY_AFTER_S))
    return JSONResponse(body, status, headers=extra, media_type=MEDIA_TYPE)


def of_error(error: errors.EnneadError, language: str) -> Response:
    """The answer for an error raised on purpose."""
    status = status_of(error)
    headers = {}
    if "retry_after_s" in error.details:
        headers["Retry-After"] = str(error.details["retry_after_s"])
    if status >= 500:
        log.error("request failed", code=error.code, error=error.message)
    return problem(status, error.code, error.message, language=language, headers=headers)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem answer."""

    async def ennead_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.EnneadError)
        return of_error(error, get_language(request))

    async def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        broken = [
            {"where": ".".join(str(p) for p in e["loc"]), "message": e["msg"]}
            for e in error.errors()
        ]
        detail = "; ".join(f"{b['where']}: {b['message']}" for b in broken[:5])
        return problem(
            422, errors.InputError.code, detail, language=get_language(request), errors=broken
        )

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _HTTP_CODES.get(error.status_code, errors.InputError.code)
        if error.status_code >= 500:
            code = errors.ServiceError.code
        return problem(
            error.status_code,
            code,
            str(error.detail),
            language=get_language(request),
            headers=error.headers,
        )

    app.add_exception_handler(errors.EnneadError, ennead_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
