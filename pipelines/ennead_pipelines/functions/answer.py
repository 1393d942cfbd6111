"""The answer of a call, as the worker leaves it in the job and people read it at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from ennead.database import Database
from ennead.findings import Refusal
from ennead.plugins import Manifest
from ennead_pipelines.jobs import Job, JobState, finding_id
from ennead_pipelines.jobs.states import now
from ennead_pipelines.run.documents import finding_document
from ennead_pipelines.run.requests import JobOutput
from ennead_pipelines.tables import jobs

STORING = "functions.step.storing"


def answer_document(job: Job, manifest: Manifest, output: JobOutput) -> dict[str, Any]:
    """Findings and refusals before anything is stored; identifiers are those to come."""
    return {
        "sr_instance_uid": output.sr_instance_uid,
        "findings": [
            {
                "id": finding_id(job.id, summary.finding.id),
                "tracking_uid": summary.tracking_uid,
                "urgent": summary.finding.urgent,
                "document": finding_document(summary, output, manifest),
            }
            for summary in output.findings
        ],
        "refusals": [refusal_document(refusal, manifest) for refusal in output.refusals],
    }


def refusal_document(refusal: Refusal, manifest: Manifest | None) -> dict[str, Any]:
    """A refusal with the texts' keys, as the table ``job_refusals`` holds it."""
    rule = manifest.output_rule(refusal.subject) if manifest else None
    return {
        "code": str(refusal.code),
        "subject": refusal.subject,
        "subject_title": dict(rule.title) if rule else {},
        "text_key": refusal.text_key,
        "text_values": dict(refusal.values),
        "series_uid": refusal.series_uid or "",
    }


def leave_answer(database: Database, owner: str, job: Job, document: dict[str, Any]) -> bool:
    """Write the answer into the job while it is still ours; the web process hands it on."""
    with database.begin() as connection:
        changed = connection.execute(
            update(jobs)
            .where(
                jobs.c.id == job.id,
                jobs.c.state == JobState.RUNNING,
                jobs.c.lease_owner == owner,
            )
            .values(answer=document, step=STORING, fraction=1.0, updated_at=now())
        ).rowcount
    return bool(changed)
