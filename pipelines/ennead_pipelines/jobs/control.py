"""People and other systems stopping a job, or asking for another attempt.

Both are one transaction with the job's row locked: its state, its line on the timeline, its event
and its audit entry. A worker that computes a cancelled job finds that it is no longer its own
(:meth:`~ennead_pipelines.jobs.queue.JobQueue.mine`) and kills the task.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select, update

from ennead.errors import Conflict, NotFound
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.jobs.generations import remember_generation
from ennead_pipelines.jobs.queue import publish_job
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.metrics import JOBS
from ennead_pipelines.notes import note
from ennead_pipelines.tables import job_refusals, jobs

#: States in which there is something to stop.
OPEN: Final = (JobState.WAITING, JobState.RUNNING)
#: Longest reason that a person may give.
REASON_CHARACTERS: Final = 200


def cancel(connection: Connection, job_id: str, principal: Principal, reason: str = "") -> None:
    """End a job that waits or runs as ``cancelled``; one that is cancelled already stays so.

    Raises
    ------
    NotFound
        No such job.
    Conflict
        The job has ended: there is nothing to cancel.
    """
    row = locked(connection, job_id)
    if row.state == JobState.CANCELLED:
        return
    if row.state not in OPEN:
        raise Conflict(
            f"Job {job_id} is {row.state}; only a job that waits or runs can be cancelled. "
            "Reject its findings instead, if it has any.",
            state=row.state,
        )
    said = reason.strip()[:REASON_CHARACTERS]
    values: dict[str, Any] = {"by": principal.display_name}
    if said:
        values["reason"] = said
    key = "queue.reason.cancelled_because" if said else "queue.reason.cancelled"
    end_cancelled(connection, row, principal, key, values)


def end_cancelled(
    connection: Connection, row: Row[Any], principal: Principal, key: str, values: dict[str, Any]
) -> None:
    """Make an open job ``cancelled`` for the reason ``key``, in the caller's transaction."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == row.id)
        .values(
            state=JobState.CANCELLED,
            lease_owner="",
            lease_until=None,
            finished_at=now(),
            updated_at=now(),
            fraction=0.0,
            step="",
            reason_key=key,
            reason_values=values,
        )
    )
    note(
        connection,
        row.study_uid,
        "cancelled",
        "queue.timeline.cancelled",
        {"package": row.title, "reason": {"key": key, "values": values}},
        package=row.package,
        job_id=row.id,
        state="refused",
    )
    JOBS.labels(row.package, str(JobState.CANCELLED)).inc()
    publish_job(connection, row.study_uid, row.id, row.package, JobState.CANCELLED)
    record(
        connection,
        principal,
        "job.cancelled",
        study_uid=row.study_uid,
        detail={"job": row.id, "package": row.package, "was": row.state, **values},
    )


def repeatable(row: Row[Any]) -> bool:
    """Whether the job may be put back: it failed, was cancelled, or was refused while running."""
    if row.state in (JobState.FAILED, JobState.CANCELLED):
        return True
    return bool(row.state == JobState.REFUSED and row.attempts)


def retry(connection: Connection, job_id: str, principal: Principal) -> None:
    """Put a job back in the queue, as a new generation with all its attempts.

    Raises
    ------
    NotFound
        No such job.
    Conflict
        The job waits, runs, is done, superseded, or was declined by its headers.
    """
    row = locked(connection, job_id)
    if not repeatable(row):
        raise Conflict(
            f"Job {job_id} is {row.state}; only one that failed, was cancelled, or was refused "
            "while running can be repeated. What its headers declined would be declined again.",
            state=row.state,
        )
    remember_generation(connection, row)
    connection.execute(
        delete(job_refusals).where(job_refusals.c.job_id == job_id, job_refusals.c.stage == "run")
    )
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(
            state=JobState.WAITING,
            generation=jobs.c.generation + 1,
            failures=0,
            not_before=now(),
            updated_at=now(),
            started_at=None,
            finished_at=None,
            fraction=0.0,
            step="",
            reason_key="",
            reason_values={},
        )
    )
    values = {"package": row.title, "by": principal.display_name}
    note(
        connection,
        row.study_uid,
        "queued",
        "queue.timeline.repeated",
        values,
        package=row.package,
        job_id=row.id,
    )
    publish_job(connection, row.study_uid, row.id, row.package, JobState.WAITING)
    detail = {"job": row.id, "package": row.package, "was": row.state}
    record(connection, principal, "job.repeated", study_uid=row.study_uid, detail=detail)


def locked(connection: Connection, job_id: str) -> Row[Any]:
    """The job's row, locked until the caller's transaction ends.

    Raises
    ------
    NotFound
    """
    row = connection.execute(
        select(jobs).where(jobs.c.id == job_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"No job has the id {job_id[:40]!r}.")
    return row
