"""The queue: what runs, waits and ended; stopping a job, and asking for another attempt."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, and_, select

from ennead.app.dependencies import DatabaseDependency, LanguageDependency, require
from ennead.errors import NotFound
from ennead.security import Permission, Principal
from ennead_pipelines.api.common import CatalogueDependency, Reader, moment
from ennead_pipelines.api.entries import Entries, studies_of
from ennead_pipelines.jobs import overview
from ennead_pipelines.jobs.control import REASON_CHARACTERS, cancel, retry
from ennead_pipelines.jobs.order import claim_order
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.lanes import Sight, sight_of
from ennead_pipelines.render import render
from ennead_pipelines.tables import jobs

router = APIRouter(prefix="/api/v1", tags=["queue"])

Manager = Annotated[Principal, Depends(require(Permission.JOB_MANAGE))]

#: Many pages ask at once; the figures are read for all of them this often.
_FRESH_SECONDS: Final = 1.0


class CancelBody(BaseModel):
    """Why a job is stopped."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=REASON_CHARACTERS)


@dataclass(frozen=True, slots=True)
class _Figures:
    read_at: float
    pace: overview.Pace
    durations: Sequence[overview.Quantiles]


@router.get("/queue")
def read_queue(
    request: Request,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
    waiting: Annotated[int, Query(ge=0, le=500)] = 100,
    ended: Annotated[int, Query(ge=0, le=200)] = 50,
) -> dict[str, Any]:
    """Running, waiting in order, recently ended, rates and durations."""
    at = now()
    with database.read() as connection:
        sight = sight_of(connection, principal)
        visible = sight.where(jobs)
        running = connection.execute(
            select(jobs)
            .where(jobs.c.state == JobState.RUNNING, visible)
            .order_by(jobs.c.started_at, jobs.c.id)
        ).all()
        due, late = _waiting(connection, at, waiting, visible)
        gone = overview.recently_ended(connection, ended, visible)
        priorities = overview.by_priority(connection, visible)
        figures = _figures(request, connection, sight, at)
        shown = [*running, *due, *late, *gone]
        studies = studies_of(connection, {row.study_uid for row in shown})
    entries = Entries(language, catalogue, studies, at)
    numbers = {
        "running": sum(each["running"] for each in priorities.values()),
        "waiting": sum(each["waiting"] for each in priorities.values()),
        "delayed": len(late),
        "claimed": sum(entries.is_claimed(row) for row in running),
    }
    return {
        "at": moment(at),
        "counts": numbers,
        "running": [entries.entry(row) for row in running],
        "waiting": [entries.entry(row, i + 1) for i, row in enumerate([*due, *late])],
        "by_priority": [_priority(name, e, language, at) for name, e in priorities.items()],
        "ended": [entries.entry(row) for row in gone],
        "rates": _rates(figures.pace),
        "durations": [_quantiles(each, language) for each in figures.durations],
    }


@router.get("/jobs/{job_id}")
def read_job(
    job_id: str,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """One job as the queue shows it."""
    with database.read() as connection:
        row = _visible(connection, job_id, principal)
        studies = studies_of(connection, {row.study_uid})
    return Entries(language, catalogue, studies, now()).entry(row)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(
    job_id: str,
    principal: Manager,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
    body: CancelBody | None = None,
) -> dict[str, Any]:
    """Stop a job that waits or runs."""
    with database.begin() as connection:
        _visible(connection, job_id, principal)
        cancel(connection, job_id, principal, body.reason if body else "")
    return read_job(job_id, principal, database, language, catalogue)


@router.post("/jobs/{job_id}/retry")
def retry_job(
    job_id: str,
    principal: Manager,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Put a job that failed, was cancelled or was refused while running back in the queue."""
    with database.begin() as connection:
        _visible(connection, job_id, principal)
        retry(connection, job_id, principal)
    return read_job(job_id, principal, database, language, catalogue)


def _visible(connection: Connection, job_id: str, principal: Principal) -> Row[Any]:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is not None:
        sight = sight_of(connection, principal)
        if sight.sees(row.lane, row.package, row.version):
            return row
    raise NotFound(f"No job has the id {job_id[:40]!r}.")


def _waiting(
    connection: Connection, at: dt.datetime, limit: int, visible: Any
) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    waits = and_(jobs.c.state == JobState.WAITING, visible)
    order = claim_order(connection.dialect.name)
    due = connection.execute(
        select(jobs).where(waits, jobs.c.not_before <= at).order_by(*order).limit(limit)
    ).all()
    late = connection.execute(
        select(jobs)
        .where(waits, jobs.c.not_before > at)
        .order_by(jobs.c.not_before, jobs.c.id)
        .limit(limit - len(due))
    ).all()
    return due, late


class _Cache:
    def __init__(self) -> None:
        self.lock = Lock()
        self.found: dict[Sight, _Figures] = {}


def _figures(request: Request, connection: Connection, sight: Sight, at: dt.datetime) -> _Figures:
    state = request.app.state
    if not hasattr(state, "queue_figures"):
        state.queue_figures = _Cache()
    cache: _Cache = state.queue_figures
    with cache.lock:
        known = cache.found.get(sight)
        if known is None or time.monotonic() - known.read_at > _FRESH_SECONDS:
            visible = sight.where(jobs)
            known = _Figures(
                time.monotonic(),
                overview.pace(connection, at, visible),
                overview.durations(connection, at, visible),
            )
            cache.found = {sight: known} if len(cache.found) > 50 else cache.found | {sight: known}
    return known


def _priority(
    name: str, entry: Mapping[str, Any], language: str, at: dt.datetime
) -> dict[str, Any]:
    oldest = entry["oldest"]
    return {
        "priority": entry["priority"],
        "name": name,
        "title": render(f"queue.priority.{name}", language, {}),
        "running": entry["running"],
        "waiting": entry["waiting"],
        "oldest_s": round((at - oldest).total_seconds(), 1) if oldest else None,
    }


def _rates(pace: overview.Pace) -> dict[str, Any]:
    return {
        "per_hour": round(pace.per_hour, 1),
        "studies_per_hour": round(pace.studies_per_hour, 1),
        "last_hour": dict(pace.last_hour),
        "hours": [{"from": moment(start), **counts} for start, counts in pace.hours],
    }


def _quantiles(each: overview.Quantiles, language: str) -> dict[str, Any]:
    return {
        "stage": each.stage,
        "title": render(f"queue.stage.{each.stage}", language, {}),
        "jobs": each.jobs,
        "p50_s": round(each.p50_s, 3),
        "p95_s": round(each.p95_s, 3),
    }
