"""No request body beyond its limit: declared lengths are refused at once, streams are counted."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ennead.app.problems import problem
from ennead.errors import LimitExceeded
from ennead.settings import Settings

#: Where models' files are sent (:mod:`ennead_models.api.drafts`).
_DRAFTS: Final = "/api/v1/models/drafts"


class BodyLimit:
    """Refuses with 413; STOW-RS and models' files, which are streamed, have larger limits."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._limit = settings.http.json_body_limit_bytes
        self._stow_limit = settings.http.stow_body_limit_bytes
        self._model_limit = settings.models.upload_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        limit, name = self._limit_of(scope["path"])
        text = f"A request body has at most {limit} bytes ({name}); send less, or raise it."
        length = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if not length.isdigit() or int(length) > limit:
            await problem(413, LimitExceeded.code, text)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, text)
            return message

        await self._app(scope, counted, send)

    def _limit_of(self, path: str) -> tuple[int, str]:
        """Bytes that a body sent there may have, and the setting that says so."""
        if path.startswith("/dicom-web"):
            return self._stow_limit, "http.stow_body_limit_bytes"
        if path == _DRAFTS or (path.startswith(_DRAFTS) and path.endswith("/sample")):
            return self._model_limit, "models.upload_limit_bytes"
        return self._limit, "http.json_body_limit_bytes"
