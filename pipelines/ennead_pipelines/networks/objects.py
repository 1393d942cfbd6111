"""The objects of a job, wherever they are: in the archive, or held apart."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.contracts import Archive
from ennead.errors import NotFound
from ennead.identifiers import InstanceUID
from ennead_pipelines.tables import held_objects


def job_object(
    connection: Connection, archive: Archive, job: Row[Any], kind: str
) -> tuple[str, bytes]:
    """Instance UID and Part 10 file of a job's ``seg`` or ``sr``, as the run wrote it.

    Raises
    ------
    NotFound
        The job wrote none, or it is gone.
    """
    uid: str = job._mapping.get(f"{kind}_instance_uid") or ""
    if not uid:
        raise NotFound(f"Job {job.id} has no {kind}.")
    data = connection.execute(
        select(held_objects.c.data).where(
            held_objects.c.job_id == job.id, held_objects.c.instance_uid == uid
        )
    ).scalar_one_or_none()
    if data is not None:
        return uid, bytes(data)
    return uid, archive.path(InstanceUID(uid)).read_bytes()
