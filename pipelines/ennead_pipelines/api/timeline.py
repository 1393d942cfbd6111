"""The way of a study, step by step, with times and reasons."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select

from ennead.app.dependencies import DatabaseDependency, LanguageDependency
from ennead.contracts import StudyRecord
from ennead_pacs.index import SeriesQuery, search_series
from ennead_pipelines.api.common import (
    CatalogueDependency,
    Reader,
    folder_of,
    moment,
    require_study,
    text_of,
)
from ennead_pipelines.jobs import JobState
from ennead_pipelines.lanes import sight_of, unseen_jobs
from ennead_pipelines.render import render
from ennead_pipelines.tables import jobs, timeline

router = APIRouter(prefix="/api/v1/studies", tags=["studies"])


@router.get("/{study_uid}/timeline")
def read_timeline(
    study_uid: str,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Received, settled, selected, measured, stored, reviewed: oldest first."""
    with database.read() as connection:
        study = require_study(connection, study_uid)
        unseen = unseen_jobs(connection, study_uid, sight_of(connection, principal))
        written = connection.execute(
            select(timeline, jobs.c.lane)
            .outerjoin(jobs, jobs.c.id == timeline.c.job_id)
            .where(timeline.c.study_uid == study_uid)
            .order_by(timeline.c.id)
        ).all()
        notes = [note for note in written if note.job_id not in unseen]
        running = set(
            connection.execute(
                select(jobs.c.id).where(
                    jobs.c.study_uid == study_uid, jobs.c.state == JobState.RUNNING
                )
            ).scalars()
        )
        events = [_received(connection, study, language)]
    latest = {note.job_id: note.id for note in notes if note.job_id}
    for note in notes:
        goes_on = note.job_id in running and latest[note.job_id] == note.id
        events.append(
            {
                "at": moment(note.at),
                "step": note.step,
                "package": note.package or None,
                "lane": note.lane or "active",
                "state": "running" if goes_on else note.state,
                "text": text_of(note, language, folder_of(catalogue, note.package)),
                "duration_s": note.duration_s,
                "links": [
                    {"label": render(link["label_key"], language, {}), "href": link["href"]}
                    for link in note.links
                ],
            }
        )
    return {"events": events}


def _received(connection: Connection, study: StudyRecord, language: str) -> dict[str, Any]:
    """What arrived from outside; our own results, which are counted with the study, left out."""
    own = {
        uid
        for row in connection.execute(
            select(jobs.c.seg_series_uid, jobs.c.sr_series_uid).where(
                jobs.c.study_uid == study.study_uid
            )
        )
        for uid in row
    }
    rows = search_series(connection, SeriesQuery({"StudyInstanceUID": study.study_uid}))
    foreign = [row for row in rows if row.series_uid not in own]
    counts = {"instances": sum(r.instance_count for r in foreign), "series": len(foreign)}
    last = max((row.updated_at for row in foreign), default=study.received_at)
    return {
        "at": moment(study.received_at),
        "step": "received",
        "package": None,
        "lane": "active",
        "state": "ok",
        "text": render("timeline.received", language, counts),
        "duration_s": max(0.0, (last - study.received_at).total_seconds()),
        "links": [],
    }
