"""A selection becomes a job, or finds the one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ennead.database import insert_ignore
from ennead.findings import Refusal
from ennead.plugins import Manifest
from ennead_pipelines.jobs.generations import remember_generation
from ennead_pipelines.jobs.identity import JobIdentity
from ennead_pipelines.jobs.queue import publish_job
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.jobs.tell import tell_selection
from ennead_pipelines.jobs.terms import JobTerms
from ennead_pipelines.lanes import Lane
from ennead_pipelines.metrics import JOBS, REFUSALS
from ennead_pipelines.notes import note
from ennead_pipelines.select import Selection
from ennead_pipelines.tables import findings, job_refusals, jobs, series_choices


def create_job(
    connection: Connection,
    identity: JobIdentity,
    manifest: Manifest,
    selection: Selection,
    *,
    lane: Lane = Lane.ACTIVE,
    terms: JobTerms = JobTerms(),
) -> bool:
    """Record the selection and its job; True when this is news.

    The same identity finds its job and changes nothing. Any other job of the same package, study
    and lane is superseded: its findings are hidden, its objects stay where they are. A job with
    results keeps its lane whatever happens to its model; only a release moves it.
    """
    job_id = identity.job_id
    state = JobState.WAITING if selection.runnable else JobState.REFUSED
    row = _row(identity, manifest, selection, state) | _terms(terms) | {"lane": lane}
    created = insert_ignore(connection, jobs, row)
    moved = False if created else _enter(connection, job_id, lane)
    if moved is None:
        return False
    if lane is Lane.ACTIVE:
        _record_choices(connection, identity, selection)
    changed = bool(created)
    if created:
        write_refusals(connection, job_id, manifest, "select", selection.refusals)
        tell_selection(connection, identity, manifest, selection)
        if state is JobState.REFUSED:
            JOBS.labels(manifest.id, str(state)).inc()
    else:
        changed = _revive(connection, job_id, selection, terms) or moved
    if supersede_others(connection, identity.study_uid, identity.package, job_id, lane):
        changed = True
    if changed:
        current = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar_one()
        publish_job(connection, identity.study_uid, job_id, identity.package, current)
    return changed


def write_refusals(
    connection: Connection,
    job_id: str,
    manifest: Manifest,
    stage: str,
    refusals: Sequence[Refusal],
) -> None:
    """Replace the job's refusals of ``stage``; the same reason is kept once."""
    connection.execute(
        delete(job_refusals).where(job_refusals.c.job_id == job_id, job_refusals.c.stage == stage)
    )
    rows = []
    for refusal in refusals:
        rule = manifest.output_rule(refusal.subject)
        row: dict[str, Any] = {
            "job_id": job_id,
            "stage": stage,
            "code": str(refusal.code),
            "subject": refusal.subject,
            "subject_title": dict(rule.title) if rule else {},
            "text_key": refusal.text_key,
            "text_values": dict(refusal.values),
            "series_uid": refusal.series_uid or "",
        }
        if row not in rows:
            rows.append(row)
            REFUSALS.labels(manifest.id, str(refusal.code)).inc()
    if rows:
        connection.execute(insert(job_refusals), rows)


def _row(
    identity: JobIdentity, manifest: Manifest, selection: Selection, state: JobState
) -> dict[str, Any]:
    at = now()
    first = selection.refusals[0] if state is JobState.REFUSED else None
    return {
        "id": identity.job_id,
        "study_uid": identity.study_uid,
        "package": identity.package,
        "version": identity.version,
        "manifest_digest": identity.manifest_digest,
        "input_digest": identity.input_digest,
        "parameters_digest": identity.parameters_digest,
        "title": dict(manifest.title),
        "inputs": {n: c.candidate.record.series_uid for n, c in selection.inputs.items()},
        "state": state,
        "attempts": 0,
        "failures": 0,
        "not_before": at,
        "created_at": at,
        "updated_at": at,
        "finished_at": at if first else None,
        "reason_key": first.text_key if first else "",
        "reason_values": dict(first.values) if first else {},
    }


def _terms(terms: JobTerms) -> dict[str, Any]:
    return {
        "priority": terms.priority,
        "not_before": terms.not_before or now(),
        "thresholds": dict(terms.thresholds),
        "rule": terms.rule,
        "models": dict(terms.models),
        "given": terms.given.as_json(),
    }


def _record_choices(connection: Connection, identity: JobIdentity, selection: Selection) -> None:
    key = (series_choices.c.study_uid == identity.study_uid) & (
        series_choices.c.package == identity.package
    )
    connection.execute(delete(series_choices).where(key))
    rows = [
        {
            "study_uid": identity.study_uid,
            "package": identity.package,
            "input": choice.input,
            "series_uid": choice.candidate.record.series_uid,
            "state": choice.state,
            "reasons": [reason.as_json() for reason in choice.reasons],
            "at": now(),
        }
        for choice in selection.choices
    ]
    if rows:
        connection.execute(insert(series_choices), rows)


def _revive(connection: Connection, job_id: str, selection: Selection, terms: JobTerms) -> bool:
    """A superseded job whose inputs are current again: its result counts again, or it runs."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
    if row.state != JobState.SUPERSEDED:
        return False
    state = JobState.WAITING if selection.runnable else JobState.REFUSED
    if row.current_sr_uid or row.seg_instance_uid:
        state = JobState.DONE
        connection.execute(update(findings).where(findings.c.job_id == job_id).values(hidden=False))
    first = selection.refusals[0] if state is JobState.REFUSED else None
    afresh: dict[str, Any] = {}
    if state is JobState.WAITING:
        remember_generation(connection, row)
        afresh = {"generation": row.generation + 1, "started_at": None, "finished_at": None}
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(
            state=state,
            updated_at=now(),
            failures=0,
            **afresh,
            **_terms(terms),
            reason_key=first.text_key if first else "",
            reason_values=dict(first.values) if first else {},
        )
    )
    return True


def _enter(connection: Connection, job_id: str, lane: Lane) -> bool | None:
    """Bring the existing job into ``lane``: False when it is there, None when it must stay out.

    Results stay in the lane that they were computed in, and so does what is about to have some.
    """
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
    if row.lane == lane:
        return False
    has_results = row.sr_instance_uid or row.seg_instance_uid
    if has_results or row.state in (JobState.WAITING, JobState.RUNNING):
        return None
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(lane=lane))
    return True


def supersede_others(
    connection: Connection, study_uid: str, package: str, job_id: str, lane: str
) -> bool:
    """Supersede the package's other jobs of this study and lane; True when there were any.

    Answers to interactive functions are no older version of anything and stay.
    """
    others = connection.execute(
        select(jobs).where(
            jobs.c.study_uid == study_uid,
            jobs.c.package == package,
            jobs.c.lane == lane,
            jobs.c.function == "",
            jobs.c.id != job_id,
            jobs.c.state != JobState.SUPERSEDED,
        )
    ).all()
    for other in others:
        _supersede(connection, other)
    return bool(others)


def _supersede(connection: Connection, row: Row[Any]) -> None:
    connection.execute(
        update(jobs)
        .where(jobs.c.id == row.id)
        .values(
            state=JobState.SUPERSEDED,
            lease_owner="",
            lease_until=None,
            reason_key="jobs.reason.superseded",
            reason_values={},
            updated_at=now(),
        )
    )
    connection.execute(update(findings).where(findings.c.job_id == row.id).values(hidden=True))
    publish_job(connection, row.study_uid, row.id, row.package, JobState.SUPERSEDED)
    if row.state == JobState.DONE:
        note(
            connection,
            row.study_uid,
            "superseded",
            "timeline.superseded",
            {"package": row.title, "version": row.version},
            package=row.package,
            job_id=row.id,
        )
