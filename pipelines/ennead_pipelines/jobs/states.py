"""States of jobs, and the one line of a study that the worklist shows."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select

from ennead.database import upsert
from ennead_pipelines.lanes import Lane
from ennead_pipelines.tables import findings, jobs, study_states


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class FindingState(StrEnum):
    """What a reader has said about a finding."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


#: First that applies is what the worklist shows; ``done`` becomes ready or reviewed.
_ORDER: Final = (
    JobState.RUNNING,
    JobState.WAITING,
    JobState.DONE,
    JobState.FAILED,
    JobState.REFUSED,
    JobState.CANCELLED,
)


def now() -> dt.datetime:
    """The time, aware, UTC."""
    return dt.datetime.now(dt.UTC)


def refresh_study_state(connection: Connection, study_uid: str) -> None:
    """Recompute the study's line from its jobs and findings, in the caller's transaction.

    The active lane alone counts: everybody sees this line. Of interactive functions only findings
    count: one that is running, or declined, says nothing about the study.
    """
    states = set(
        connection.execute(
            select(jobs.c.state).where(
                jobs.c.study_uid == study_uid,
                jobs.c.state != JobState.SUPERSEDED,
                jobs.c.lane == Lane.ACTIVE,
                or_(jobs.c.function == "", jobs.c.state == JobState.DONE),
            )
        ).scalars()
    )
    visible = and_(
        findings.c.study_uid == study_uid,
        findings.c.hidden.is_(False),
        findings.c.lane == Lane.ACTIVE,
    )
    counts: dict[str, int] = {
        row.state: row.number
        for row in connection.execute(
            select(findings.c.state, func.count().label("number"))
            .where(visible)
            .group_by(findings.c.state)
        )
    }
    urgent = connection.execute(
        select(func.count())
        .select_from(findings)
        .where(visible, findings.c.urgent.is_(True), findings.c.state != FindingState.REJECTED)
    ).scalar_one()
    state: str = next((s for s in _ORDER if s in states), "none")
    if state == JobState.DONE:
        proposed = counts.get(FindingState.PROPOSED, 0)
        state = "reviewed" if counts and not proposed else "ready"
    row: dict[str, Any] = {
        "study_uid": study_uid,
        "state": state,
        "urgent": bool(urgent),
        "findings": sum(counts.values()),
        "accepted": counts.get(FindingState.ACCEPTED, 0) + counts.get(FindingState.EDITED, 0),
        "rejected": counts.get(FindingState.REJECTED, 0),
        "updated_at": now(),
    }
    upsert(connection, study_states, row, keys=["study_uid"])
