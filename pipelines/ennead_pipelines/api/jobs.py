"""The jobs of a study: which package, where it stands, why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, Row, select

from ennead.app.dependencies import DatabaseDependency, LanguageDependency
from ennead_pipelines.api.common import (
    CatalogueDependency,
    Reader,
    folder_of,
    moment,
    require_study,
    text_of,
)
from ennead_pipelines.lanes import sight_of
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.render import render, title
from ennead_pipelines.tables import job_refusals, jobs

router = APIRouter(prefix="/api/v1/studies", tags=["jobs"])


@router.get("/{study_uid}/jobs")
def list_jobs(
    study_uid: str,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Every job that the asker may see, newest first; superseded ones too."""
    with database.read() as connection:
        require_study(connection, study_uid)
        rows = connection.execute(
            select(jobs)
            .where(jobs.c.study_uid == study_uid, sight_of(connection, principal).where(jobs))
            .order_by(jobs.c.created_at.desc(), jobs.c.package)
        ).all()
        refusals = refusals_by_job(connection, [row.id for row in rows])
    return {"jobs": [_job(row, refusals.get(row.id, []), language, catalogue) for row in rows]}


def refusals_by_job(connection: Connection, job_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The refusals of several jobs, in the order they were said."""
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    query = select(job_refusals).where(job_refusals.c.job_id.in_(job_ids))
    for row in connection.execute(query.order_by(job_refusals.c.id)):
        found[row.job_id].append(row)
    return found


def refusal_item(
    row: Row[Any], package: str, language: str, catalogue: PackageCatalogue
) -> dict[str, Any]:
    """One refusal as people read it."""
    return {
        "code": row.code,
        "subject": row.subject,
        "subject_title": title(row.subject_title, language, row.subject),
        "text": text_of(row, language, folder_of(catalogue, package)),
        "series_uid": row.series_uid or None,
    }


def _job(
    row: Row[Any], refusals: Sequence[Row[Any]], language: str, catalogue: PackageCatalogue
) -> dict[str, Any]:
    folder = folder_of(catalogue, row.package)
    result = {
        "seg_instance_uid": row.seg_instance_uid or None,
        "seg_series_uid": row.seg_series_uid or None,
        "sr_instance_uid": row.sr_instance_uid or None,
        "sr_series_uid": row.sr_series_uid or None,
    }
    return {
        "id": row.id,
        "package": row.package,
        "title": title(row.title, language, row.package),
        "version": row.version,
        "function": row.function or None,
        "state": row.state,
        "lane": row.lane,
        "reason": render(row.reason_key, language, row.reason_values, folder),
        "refusals": [refusal_item(r, row.package, language, catalogue) for r in refusals],
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "fraction": row.fraction,
        "step": render(row.step, language, {}, folder),
        "attempts": row.attempts,
        "result": result if row.seg_instance_uid or row.sr_instance_uid else None,
    }
