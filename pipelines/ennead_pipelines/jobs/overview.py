"""The queue as people see it: what runs, what waits in which order, what ended, how fast.

Everything here reads a bounded number of rows by an index, however long the history is.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select

from ennead_pipelines.jobs.priorities import priority_name
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.tables import jobs

#: What counts as an end in the figures.
ENDED: Final = (JobState.DONE, JobState.REFUSED, JobState.FAILED, JobState.CANCELLED)
#: Stages in the order of the road.
STAGES: Final = ("wait", "load", "anatomy", "measure", "encode", "store", "total")
_SAMPLE: Final = 500
_RECENT: Final = dt.timedelta(minutes=10)
_HOUR: Final = dt.timedelta(hours=1)
_DAY: Final = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Durations of one stage over the newest jobs, in s."""

    stage: str
    jobs: int
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What ended lately."""

    per_hour: float
    studies_per_hour: float
    last_hour: Mapping[str, int]
    hours: Sequence[tuple[dt.datetime, Mapping[str, int]]]


def waiting_count(connection: Connection, visible: ColumnElement[bool]) -> dict[str, int]:
    """How many jobs run and wait."""
    query = select(jobs.c.state, func.count().label("number")).where(
        jobs.c.state.in_((JobState.RUNNING, JobState.WAITING)), visible
    )
    found = {row.state: row.number for row in connection.execute(query.group_by(jobs.c.state))}
    return {"running": found.get("running", 0), "waiting": found.get("waiting", 0)}


def by_priority(connection: Connection, visible: ColumnElement[bool]) -> dict[str, dict[str, Any]]:
    """Per name of a priority: how many run and wait, and since when the oldest waits."""
    query = (
        select(
            jobs.c.priority,
            jobs.c.state,
            func.count().label("number"),
            func.min(jobs.c.created_at).label("oldest"),
        )
        .where(jobs.c.state.in_((JobState.RUNNING, JobState.WAITING)), visible)
        .group_by(jobs.c.priority, jobs.c.state)
        .order_by(jobs.c.priority)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query):
        entry = found.setdefault(
            priority_name(row.priority),
            {"priority": row.priority, "running": 0, "waiting": 0, "oldest": None},
        )
        entry[row.state] += row.number
        if row.state == JobState.WAITING:
            known = entry["oldest"]
            entry["oldest"] = row.oldest if known is None else min(known, row.oldest)
    return found


def recently_ended(
    connection: Connection, limit: int, visible: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """The jobs that ended last, newest first."""
    return connection.execute(
        select(jobs)
        .where(jobs.c.finished_at.is_not(None), jobs.c.state.in_(ENDED), visible)
        .order_by(jobs.c.finished_at.desc(), jobs.c.id)
        .limit(limit)
    ).all()


def pace(connection: Connection, at: dt.datetime, visible: ColumnElement[bool]) -> Pace:
    """Ends per hour over the last day, and the present rate."""
    since = at.replace(minute=0, second=0, microsecond=0) - _DAY + _HOUR
    rows = connection.execute(
        select(jobs.c.finished_at, jobs.c.state, jobs.c.study_uid)
        .where(jobs.c.finished_at >= min(since, at - _HOUR), jobs.c.state.in_(ENDED), visible)
        .order_by(jobs.c.finished_at)
    ).all()
    hours = []
    for index in range(24):
        start = since + index * _HOUR
        hours.append((start, _states(r for r in rows if start <= r.finished_at < start + _HOUR)))
    last = [row for row in rows if row.finished_at > at - _HOUR]
    studies = len({row.study_uid for row in last if row.state == JobState.DONE})
    recent = [row for row in last if row.finished_at > at - _RECENT]
    elapsed = 0.0
    if recent:
        elapsed = max((at - recent[0].finished_at).total_seconds(), 60.0) / 3600.0
    done = len({row.study_uid for row in recent})
    return Pace(
        per_hour=len(recent) / elapsed if recent else 0.0,
        studies_per_hour=done / elapsed if recent else 0.0,
        last_hour={**_states(last), "studies": studies},
        hours=hours,
    )


def durations(
    connection: Connection, at: dt.datetime, visible: ColumnElement[bool]
) -> list[Quantiles]:
    """p50 and p95 of each stage over the newest jobs of the last day."""
    rows = connection.execute(
        select(jobs.c.durations)
        .where(jobs.c.finished_at >= at - _DAY, jobs.c.state.in_(ENDED), visible)
        .order_by(jobs.c.finished_at.desc())
        .limit(_SAMPLE)
    ).scalars()
    by_stage: dict[str, list[float]] = {}
    for each in rows:
        for stage, seconds in each.items():
            by_stage.setdefault(stage, []).append(float(seconds))
    return [
        Quantiles(stage, len(values), quantile(values, 0.5), quantile(values, 0.95))
        for stage in STAGES
        if (values := sorted(by_stage.get(stage, ())))
    ]


def quantile(ordered: Sequence[float], fraction: float) -> float:
    """The smallest value that ``fraction`` of the values do not exceed (nearest rank).

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([1.0, 2.0, 3.0, 4.0], 0.95)
    (2.0, 4.0)
    """
    rank = -int(-fraction * len(ordered) // 1)
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def _states(rows: Iterable[Any]) -> dict[str, int]:
    found = Counter(row.state for row in rows)
    return {str(state): found.get(state, 0) for state in ENDED}
