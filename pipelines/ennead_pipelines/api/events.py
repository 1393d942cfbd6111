"""Server-sent events: what happens, as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from ennead.app.dependencies import DatabaseDependency, LanguageDependency
from ennead_pipelines.api.common import CatalogueDependency, Reader, folder_of
from ennead_pipelines.api.feed import Feed, Listener, Message
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.render import render

router = APIRouter(prefix="/api/v1/events", tags=["events"])

#: A comment line this often keeps proxies from closing the stream.
HEARTBEAT_SECONDS: Final = 15.0


@router.get("")
async def stream(
    request: Request,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> StreamingResponse:
    """``event: job``, ``event: study`` and ``event: finding``, each with a JSON object."""
    state = request.app.state
    if not hasattr(state, "event_feed"):
        state.event_feed = Feed(database)
    feed: Feed = state.event_feed
    listener = Listener(asyncio.get_running_loop(), principal)
    feed.subscribe(listener)
    return StreamingResponse(
        _lines(feed, listener, language, catalogue),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(
    feed: Feed, listener: Listener, language: str, catalogue: PackageCatalogue
) -> AsyncIterator[str]:
    try:
        yield "retry: 2000\n: connected\n\n"
        while True:
            message = await listener.next(HEARTBEAT_SECONDS)
            if message is None:
                yield ": still here\n\n"
            elif not message.aside:
                data = json.dumps(_shown(message, language, catalogue), ensure_ascii=False)
                yield f"event: {message.kind}\ndata: {data}\n\n"
    except ConnectionError:
        return
    finally:
        feed.unsubscribe(listener)


def _shown(message: Message, language: str, catalogue: PackageCatalogue) -> dict[str, Any]:
    data = dict(message.data)
    if message.kind == "job":
        folder = folder_of(catalogue, data["package"])
        data["step"] = render(data["step"], language, {}, folder)
    return data
