"""Subscriptions and the event channel (PS3.18 §11.10-11.13, §8.10.4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from ennead.app.dependencies import DatabaseDependency, require
from ennead.app.problems import problem
from ennead.errors import EnneadError, ServiceError
from ennead.security import Permission, Principal
from ennead_pipelines.api.feed import Feed, Listener
from ennead_pipelines.lanes import sight_of
from ennead_pipelines.ups.channel import Channel
from ennead_pipelines.ups.dataset import Dataset
from ennead_pipelines.ups.routes import PREFIX, UPSRoute
from ennead_pipelines.ups.subscriptions import (
    check_ae_title,
    require_channel,
    subscribe,
    suspend,
    unsubscribe,
)

router = APIRouter(tags=["UPS-RS"], route_class=UPSRoute)

Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]

CHANNEL = "/dicom-web/subscribers"
_WAIT_SECONDS = 15.0
_POLICY_VIOLATION = 1008
_TRY_AGAIN = 1013


@router.post(PREFIX + "/{uid}/subscribers/{ae_title}", status_code=201)
def create_subscription(
    uid: str,
    ae_title: str,
    request: Request,
    principal: Reader,
    database: DatabaseDependency,
    deletionlock: Annotated[bool, Query()] = False,
) -> Response:
    """Hear of a workitem, or of all with the global UID (§11.10)."""
    ae_title = check_ae_title(ae_title)
    with database.begin() as connection:
        sight = sight_of(connection, principal)
        subscribe(connection, uid, ae_title, principal, sight, deletion_lock=deletionlock)
    scheme = "wss" if request.url.scheme == "https" else "ws"
    channel = f"{scheme}://{request.headers.get('host', '')}{CHANNEL}/{ae_title}"
    return Response(status_code=201, headers={"Content-Location": channel})


@router.delete(PREFIX + "/{uid}/subscribers/{ae_title}")
def delete_subscription(
    uid: str, ae_title: str, principal: Reader, database: DatabaseDependency
) -> Response:
    """Hear no more (§11.12)."""
    with database.begin() as connection:
        sight = sight_of(connection, principal)
        unsubscribe(connection, uid, check_ae_title(ae_title), principal, sight)
    return Response(status_code=200)


@router.post(PREFIX + "/{uid}/subscribers/{ae_title}/suspend")
def suspend_subscription(
    uid: str, ae_title: str, principal: Reader, database: DatabaseDependency
) -> Response:
    """Do not hear of new workitems any more (§11.11)."""
    with database.begin() as connection:
        suspend(connection, uid, check_ae_title(ae_title), principal)
    return Response(status_code=200)


@router.get(CHANNEL + "/{ae_title}")
def no_channel(ae_title: str, _: Reader) -> Response:
    """A plain request: the channel is a WebSocket; without its library the server says so."""
    del ae_title
    from importlib.util import find_spec

    if find_spec("websockets") is None and find_spec("wsproto") is None:
        text = "This server has no WebSocket library; install websockets beside Ennead."
        return problem(501, ServiceError.code, text)
    text = "The event channel is a WebSocket; ask for an upgrade (PS3.18 §8.10.4)."
    return problem(426, ServiceError.code, text, headers={"Upgrade": "websocket"})


@router.websocket(CHANNEL + "/{ae_title}")
async def open_channel(socket: WebSocket, ae_title: str) -> None:
    """Event reports of this AE title's subscriptions, each a dataset in JSON."""
    database, settings = socket.app.state.database, socket.app.state.settings
    principal: Principal | None = getattr(socket.state, "principal", None)
    if principal is None or not principal.may(Permission.STUDY_READ):
        await socket.close(_POLICY_VIOLATION)
        return
    try:
        ae_title = check_ae_title(ae_title)
        await run_in_threadpool(_check, database, ae_title, principal)
    except EnneadError:
        await socket.close(_POLICY_VIOLATION)
        return
    await socket.accept()
    channel = Channel(database, ae_title, principal, settings.portal.language)
    listener = Listener(asyncio.get_running_loop(), principal)
    feed = _feed(socket)
    feed.subscribe(listener)
    gone = asyncio.ensure_future(_until_gone(socket))
    try:
        await _send(socket, await run_in_threadpool(channel.greeting))
        while not gone.done():
            heard = asyncio.ensure_future(listener.next(_WAIT_SECONDS))
            await asyncio.wait({heard, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not heard.done():
                heard.cancel()
                break
            message = heard.result()
            if message is not None:
                await _send(socket, await run_in_threadpool(channel.reports, message))
    except ConnectionError:  # it reads too slowly: it connects again and searches
        await socket.close(_TRY_AGAIN)
    except WebSocketDisconnect:
        return
    finally:
        gone.cancel()
        feed.unsubscribe(listener)


async def _until_gone(socket: WebSocket) -> None:
    """Read, and throw away, until the other side leaves."""
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError, RuntimeError):
        return


async def _send(socket: WebSocket, reports: Sequence[Dataset]) -> None:
    for report in reports:
        await socket.send_text(json.dumps(report, ensure_ascii=False, separators=(",", ":")))


def _check(database: DatabaseDependency, ae_title: str, principal: Principal) -> None:
    with database.read() as connection:
        require_channel(connection, ae_title, principal)


def _feed(socket: WebSocket) -> Feed:
    state = socket.app.state
    if not hasattr(state, "event_feed"):
        state.event_feed = Feed(state.database)
    feed: Feed = state.event_feed
    return feed
