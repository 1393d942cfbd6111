"""A call becomes a job, or finds the one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, update

from ennead.database import insert_ignore
from ennead.findings import Refusal
from ennead.plugins import FunctionRule, Manifest
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.functions.series import ReadSeries
from ennead_pipelines.jobs import JobIdentity, JobState
from ennead_pipelines.jobs.create import write_refusals
from ennead_pipelines.jobs.states import now
from ennead_pipelines.tables import jobs

#: Before every study's job.
PRIORITY: Final = 0


def create_call(
    connection: Connection,
    identity: JobIdentity,
    manifest: Manifest,
    rule: FunctionRule,
    read: ReadSeries,
    inputs: Mapping[str, Any],
    thresholds: Mapping[str, float],
    declined: Sequence[Refusal],
    principal: Principal,
    models: Mapping[str, str],
) -> None:
    """Record the call and its audit event; one that failed before is tried again.

    Parameters
    ----------
    inputs : mapping
        Canonical.
    declined : sequence of Refusal
        Outputs that this series cannot give.
    models : mapping
        Model id → digest of each model that the package may ask.
    """
    at = now()
    title = {
        language: f"{manifest.title.get(language) or manifest.id}: {name}"
        for language, name in rule.title.items()
    }
    row: dict[str, Any] = {
        "id": identity.job_id,
        "study_uid": identity.study_uid,
        "package": identity.package,
        "version": identity.version,
        "manifest_digest": identity.manifest_digest,
        "input_digest": identity.input_digest,
        "parameters_digest": identity.parameters_digest,
        "title": title,
        "inputs": {rule.series: read.uid},
        "state": JobState.WAITING,
        "not_before": at,
        "created_at": at,
        "updated_at": at,
        "function": rule.id,
        "call": {"inputs": dict(inputs), "by": principal.display_name or principal.name},
        "priority": PRIORITY,
        "requested_by": principal.name[:64],
        "thresholds": dict(thresholds),
        "models": dict(models),
    }
    if insert_ignore(connection, jobs, row):
        write_refusals(connection, identity.job_id, manifest, "select", declined)
    else:
        _again(connection, identity.job_id)
    record(
        connection,
        principal,
        "function.called",
        study_uid=identity.study_uid,
        detail={"package": manifest.id, "function": rule.id, "job": identity.job_id},
    )


def withdraw_call(connection: Connection, job_id: str, seconds: float) -> bool:
    """End a call that no worker took; False when one has taken it meanwhile."""
    changed = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.WAITING)
        .values(
            state=JobState.FAILED,
            reason_key="functions.failed.away",
            reason_values={"seconds": round(seconds)},
            finished_at=now(),
            updated_at=now(),
        )
    ).rowcount
    return bool(changed)


def _again(connection: Connection, job_id: str) -> None:
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar_one()
    if state in (JobState.FAILED, JobState.SUPERSEDED):
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                state=JobState.WAITING,
                not_before=now(),
                updated_at=now(),
                failures=0,
                answer={},
                reason_key="",
                reason_values={},
                finished_at=None,
            )
        )
