"""Reading jobs back."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, select

from ennead_pipelines.tables import job_refusals, jobs


def created_at(connection: Connection, job_id: str) -> dt.datetime:
    """When the job was made; written into its results."""
    found: dt.datetime = connection.execute(
        select(jobs.c.created_at).where(jobs.c.id == job_id)
    ).scalar_one()
    return found


def declined_outputs(connection: Connection, job_id: str) -> tuple[str, ...]:
    """Outputs that were refused when the series was selected."""
    rows = connection.execute(
        select(job_refusals.c.subject)
        .where(
            job_refusals.c.job_id == job_id,
            job_refusals.c.stage == "select",
            job_refusals.c.subject != "",
        )
        .distinct()
        .order_by(job_refusals.c.subject)
    ).scalars()
    return tuple(rows)
