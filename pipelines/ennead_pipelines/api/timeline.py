"""The way of a study, step by step, with times and reasons."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from ennead.app.dependencies import DatabaseDependency, LanguageDependency
from ennead_pipelines.api.common import (
    CatalogueDependency,
    Reader,
    folder_of,
    moment,
    require_study,
    text_of,
)
from ennead_pipelines.jobs import JobState
from ennead_pipelines.render import render
from ennead_pipelines.tables import jobs, timeline

router = APIRouter(prefix="/api/v1/studies", tags=["studies"])


@router.get("/{study_uid}/timeline")
def read_timeline(
    study_uid: str,
    _: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Received, settled, selected, measured, stored, reviewed: oldest first."""
    with database.read() as connection:
        study = require_study(connection, study_uid)
        notes = connection.execute(
            select(timeline).where(timeline.c.study_uid == study_uid).order_by(timeline.c.id)
        ).all()
        running = set(
            connection.execute(
                select(jobs.c.id).where(
                    jobs.c.study_uid == study_uid, jobs.c.state == JobState.RUNNING
                )
            ).scalars()
        )
    counts = {"instances": study.instance_count, "series": study.series_count}
    events: list[dict[str, Any]] = [
        {
            "at": moment(study.received_at),
            "step": "received",
            "package": None,
            "state": "ok",
            "text": render("timeline.received", language, counts),
            "duration_s": max(0.0, (study.updated_at - study.received_at).total_seconds()),
            "links": [],
        }
    ]
    latest = {note.job_id: note.id for note in notes if note.job_id}
    for note in notes:
        goes_on = note.job_id in running and latest[note.job_id] == note.id
        events.append(
            {
                "at": moment(note.at),
                "step": note.step,
                "package": note.package or None,
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
