"""Results that are held apart from the archive, and letting them in.

A held object is in no index: QIDO, WADO, C-FIND, C-MOVE and the viewer's own queries cannot reach
it. It is written in the transaction that ends its job, and deleted when it is released.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, select, update

from ennead.contracts import Archive
from ennead.database import Database, insert_ignore
from ennead.errors import Conflict, NotFound
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.jobs.create import supersede_others
from ennead_pipelines.jobs.queue import publish_job
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.lanes import Lane
from ennead_pipelines.notes import note, result_links
from ennead_pipelines.tables import findings, held_objects, jobs


class HeldObject(NamedTuple):
    """A Part 10 file that waits: ``kind`` is ``seg``, ``sr`` or ``pm``."""

    kind: str
    instance_uid: str
    data: bytes


def hold(connection: Connection, job_id: str, objects: Iterable[HeldObject]) -> int:
    """Keep a job's objects, in the caller's transaction; how many were new."""
    rows = [
        {"job_id": job_id, "created_at": now(), **each._asdict()}
        for each in sorted(objects, key=lambda o: o.kind)
    ]
    return sum(insert_ignore(connection, held_objects, row) for row in rows)


def held(connection: Connection, job_id: str) -> list[HeldObject]:
    """The job's held objects, segmentation before report."""
    rows = connection.execute(
        select(held_objects.c.kind, held_objects.c.instance_uid, held_objects.c.data)
        .where(held_objects.c.job_id == job_id)
        .order_by(held_objects.c.kind)
    )
    return [HeldObject(row.kind, row.instance_uid, bytes(row.data)) for row in rows]


def release(database: Database, archive: Archive, job_id: str, principal: Principal) -> None:
    """Store a held result in the archive; from then on everybody sees it.

    Earlier results of the same package for the study are superseded, as by any newer run. Safe to
    repeat: objects that are already stored are found, not written again.

    Raises
    ------
    NotFound
        No such job.
    Conflict
        The job holds nothing: it has not ended, was refused, or is superseded.
    """
    with database.read() as connection:
        job = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
        objects = held(connection, job_id)
    if job is None:
        raise NotFound(f"No job has the id {job_id[:40]!r}.")
    if job.lane == Lane.ACTIVE:
        return
    if job.state != JobState.DONE or not objects:
        raise Conflict(
            f"Job {job_id} is {job.state} and holds {len(objects)} objects; only a finished result "
            "can be released."
        )
    for each in objects:
        archive.store(each.data, source=f"pipeline:{job_id}")
    with database.begin() as connection:
        changed = connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.lane == job.lane, jobs.c.state == JobState.DONE)
            .values(lane=Lane.ACTIVE, updated_at=now())
        ).rowcount
        if not changed:
            raise Conflict(f"Job {job_id} changed while it was released; look again.")
        connection.execute(
            update(findings).where(findings.c.job_id == job_id).values(lane=Lane.ACTIVE)
        )
        connection.execute(delete(held_objects).where(held_objects.c.job_id == job_id))
        supersede_others(connection, job.study_uid, job.package, job_id, Lane.ACTIVE)
        _tell(connection, job, principal)


def _tell(connection: Connection, job: Row[Any], principal: Principal) -> None:
    publish_job(connection, job.study_uid, job.id, job.package, job.state)
    note(
        connection,
        job.study_uid,
        "stored",
        "timeline.released",
        {"package": job.title, "version": job.version, "by": principal.display_name},
        package=job.package,
        job_id=job.id,
        links=result_links(job.study_uid, seg=_pair(job, "seg"), sr=_pair(job, "sr")),
    )
    record(
        connection,
        principal,
        "result.released",
        study_uid=job.study_uid,
        object_uid=job.sr_instance_uid,
        detail={"package": job.package, "version": job.version, "job": job.id, "from": job.lane},
    )


def _pair(job: Row[Any], kind: str) -> tuple[str, str]:
    return job._mapping[f"{kind}_series_uid"], job._mapping[f"{kind}_instance_uid"]
