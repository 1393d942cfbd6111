"""What the packages found in a study, and what they declined."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from ennead.app.dependencies import DatabaseDependency, LanguageDependency
from ennead_pipelines.api.common import CatalogueDependency, Reader, folder_of, require_study
from ennead_pipelines.api.documents import finding_item, finding_rows, last_decisions
from ennead_pipelines.api.jobs import refusal_item, refusals_by_job
from ennead_pipelines.jobs import JobState
from ennead_pipelines.lanes import sight_of
from ennead_pipelines.render import title
from ennead_pipelines.tables import findings, jobs

router = APIRouter(prefix="/api/v1/studies", tags=["findings"])


@router.get("/{study_uid}/findings")
def list_findings(
    study_uid: str,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Findings that count today and that the asker may see; not those of superseded jobs."""
    with database.read() as connection:
        require_study(connection, study_uid)
        sight = sight_of(connection, principal)
        rows = finding_rows(
            connection,
            findings.c.study_uid == study_uid,
            findings.c.hidden.is_(False),
            sight.where(findings),
        )
        decided = last_decisions(connection, [row.id for row in rows])
        current = connection.execute(
            select(jobs.c.id, jobs.c.package, jobs.c.version, jobs.c.lane)
            .where(
                jobs.c.study_uid == study_uid,
                jobs.c.state != JobState.SUPERSEDED,
                jobs.c.function == "",  # those refusals were told to whoever asked
                sight.where(jobs),
            )
            .order_by(jobs.c.package)
        ).all()
        refused = refusals_by_job(connection, [row.id for row in current])
    uses = {row.package: row.document["intended_use"] for row in rows}
    for job in current:
        package = catalogue.get(job.package)
        if package and package.manifest:
            use = package.manifest.intended_use
            uses.setdefault(
                job.package,
                {
                    "status": use.status,
                    "text": dict(use.text),
                    "trained_on": use.trained_on,
                },
            )
    return {
        "study_uid": study_uid,
        "findings": [
            finding_item(row, decided.get(row.id), language, folder_of(catalogue, row.package))
            for row in rows
        ],
        "refusals": [
            {"package": job.package, "version": job.version, "lane": job.lane}
            | refusal_item(row, job.package, language, catalogue)
            for job in current
            for row in refused.get(job.id, [])
        ],
        "intended_use": {
            package: {
                "status": use["status"],
                "text": title(use["text"], language),
                "trained_on": use.get("trained_on", ""),
            }
            for package, use in uses.items()
        },
    }
