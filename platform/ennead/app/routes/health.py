"""``/livez``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from ennead import __version__, telemetry
from ennead.app import parts
from ennead.app.dependencies import DatabaseDependency, SettingsDependency
from ennead.app.parts import Part, PartState
from ennead.settings import Settings

router = APIRouter(tags=["health"])

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(
    request: Request, settings: SettingsDependency, database: DatabaseDependency
) -> JSONResponse:
    """200 when every process of this node serves, else 503; the parts say why."""
    try:
        with database.read() as connection:
            known = parts.read(connection)
    except SQLAlchemyError as error:
        return _answer("failed", settings, detail=f"database: {type(error).__name__}")
    node = parts.node_id(settings)
    mine = [p for p in known if p.node == node]
    if mine:
        mine += _without_routes(request, mine)
    return _answer(_status(mine), settings, mine, [p for p in known if p.node != node])


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Prometheus text of this node's processes."""
    text = telemetry.metrics_text() + _part_metrics(request)
    return Response(text, media_type=_TEXT)


def _status(mine: list[Part]) -> str:
    """``ready``, ``degraded`` (a service cannot be loaded; the rest serves) or ``starting``."""
    processes = [p for p in mine if p.state is not PartState.BROKEN]
    if not processes or not all(p.state is PartState.READY and _fresh(p) for p in processes):
        return "starting"
    return "ready" if len(processes) == len(mine) else "degraded"


def _without_routes(request: Request, mine: list[Part]) -> list[Part]:
    """Services that gave the supervisor their processes but this application no routes."""
    told = {p.name for p in mine if p.state is PartState.BROKEN}
    now = dt.datetime.now(dt.UTC)
    return [
        Part(s.name, 0, PartState.BROKEN, s.error, 0, 0, now, now)
        for s in request.app.state.services
        if s.error and s.name not in told
    ]


def _fresh(part: Part) -> bool:
    return dt.datetime.now(dt.UTC) - part.beat_at < parts.STALE_AFTER


def _answer(
    status: str,
    settings: Settings,
    mine: list[Part] | None = None,
    others: list[Part] | None = None,
    *,
    detail: str = "",
) -> JSONResponse:
    body: dict[str, Any] = {
        "status": status,
        "version": __version__,
        "node": parts.node_id(settings),
        "warnings": warnings(settings),
        "dicom": {
            "ae_title": settings.dicom.ae_title,
            "port": settings.dicom.port,
            "accept_any_ae": settings.dicom.accept_any_ae,
        },
        "parts": [_shown(p) for p in mine or ()],
        "other_nodes": [{"node": p.node, **_shown(p)} for p in others or ()],
    }
    if not mine and not detail:
        detail = "No supervisor of this node has reported; start it with ennead serve."
    if detail:
        body["detail"] = detail
    return JSONResponse(body, 200 if status in ("ready", "degraded") else 503)


def warnings(settings: Settings) -> list[str]:
    """What is open that should not be in daily use."""
    if settings.dicom.accept_any_ae:
        return ["DICOM accepts every calling AE title (dicom.accept_any_ae); not for daily use."]
    return []


def _shown(part: Part) -> dict[str, Any]:
    stale = part.pid and not _fresh(part)
    return {
        "name": part.name,
        "copy": part.copy,
        "state": "lost" if stale else str(part.state),
        "since": part.since.isoformat(),
        "detail": "no heartbeat" if stale else part.detail,
        "restarts": part.restarts,
    }


def _part_metrics(request: Request) -> bytes:
    lines = [
        "# HELP ennead_part_ready Whether a part of this node serves.",
        "# TYPE ennead_part_ready gauge",
    ]
    node = parts.node_id(request.app.state.settings)
    try:
        with request.app.state.database.read() as connection:
            known = parts.read(connection)
    except SQLAlchemyError:
        known = []
    for part in known:
        if part.node == node:
            ready = int(part.state is PartState.READY and _fresh(part))
            lines.append(f'ennead_part_ready{{part="{part.name}",copy="{part.copy}"}} {ready}')
    return ("\n".join(lines) + "\n").encode()
