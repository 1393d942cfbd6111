"""A job that is put back begins a new generation; how the old one ended is kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.database import insert_ignore
from ennead_pipelines.tables import job_generations, job_refusals


def remember_generation(connection: Connection, row: Row[Any]) -> None:
    """Keep how the job stands, before it is put back, in the caller's transaction."""
    code = connection.execute(
        select(job_refusals.c.code)
        .where(job_refusals.c.job_id == row.id)
        .order_by(job_refusals.c.id)
        .limit(1)
    ).scalar_one_or_none()
    document = {
        "state": row.state,
        "reason_key": row.reason_key,
        "reason_values": row.reason_values,
        "refusal_code": code or "",
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }
    values = {"job_id": row.id, "generation": row.generation, "document": document}
    insert_ignore(connection, job_generations, values)
