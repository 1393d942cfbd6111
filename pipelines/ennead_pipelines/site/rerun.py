"""Looking at a study again, with what is installed and the rules in force now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import Conflict, InputError, NotFound
from ennead.identifiers import StudyUID
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.jobs.control import locked, retry
from ennead_pipelines.jobs.queue import publish_job
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.notes import note
from ennead_pipelines.packages import PackageState
from ennead_pipelines.site.decide import SiteControl
from ennead_pipelines.site.plan import PackagePlan, carry_out, plan_study
from ennead_pipelines.site.rules import PRIORITIES
from ennead_pipelines.site.say import priority_text
from ennead_pipelines.tables import jobs


@dataclass(frozen=True, slots=True)
class Rerun:
    """What became of one package: ``new``, ``same``, ``retried``, ``refused`` or ``skipped``."""

    package: str
    outcome: str
    job: str
    state: str


def rerun(
    database: Database,
    archive: Archive,
    study_uid: StudyUID,
    packages: Sequence[PackageState],
    control: SiteControl,
    principal: Principal,
    reason: str,
    package: str = "",
    giver: Giver | None = None,
) -> list[Rerun]:
    """Select again and make the jobs that follow; the same identity stores nothing new.

    A job that had failed or was cancelled is put back. Series and rules are read now.

    Raises
    ------
    InputError
        No reason was given.
    NotFound
        No such study, or no such package here.
    Conflict
        The package is switched off, or the study holds nothing but our own results.
    """
    said = reason.strip()[:200]
    if not said:
        raise InputError("Running again needs a reason; it is kept with the study.")
    archive.study(study_uid)
    on = [s.package for s in packages if s.enabled]
    if package and not any(p.id == package for p in on):
        if not any(s.package.id == package for s in packages):
            raise NotFound(f"No package {package[:40]!r} is installed here.")
        raise Conflict(f"Package {package!r} is switched off; enable it first.")
    only = {package} if package else None
    plans = plan_study(database, archive, study_uid, on, control, now(), only=only, giver=giver)
    if plans is None:
        raise Conflict(f"Study {study_uid} holds nothing but results; there is nothing to run on.")
    with database.begin() as connection:
        values = {"by": principal.display_name, "reason": said}
        note(connection, study_uid, "settled", "rules.timeline.rerun", values)
        found = [_again(connection, planned, principal) for planned in plans]
        detail = {
            "package": package or "*",
            "reason": said,
            "outcomes": {each.package: each.outcome for each in found},
        }
        record(connection, principal, "study.rerun", study_uid=study_uid, detail=detail)
    return found


def prioritise(connection: Connection, job_id: str, priority: str, principal: Principal) -> None:
    """Give a waiting job another priority; ``stat`` and ``routine`` also end its waiting.

    Raises
    ------
    NotFound
        No such job.
    Conflict
        The job does not wait.
    """
    row = locked(connection, job_id)
    if row.state != JobState.WAITING:
        raise Conflict(f"Job {job_id} is {row.state}; only a waiting job has a place in the queue.")
    number = PRIORITIES[priority]
    begins = {} if priority == "off-peak" else {"not_before": min(row.not_before, now())}
    connection.execute(
        update(jobs).where(jobs.c.id == job_id).values(priority=number, updated_at=now(), **begins)
    )
    values = {
        "by": principal.display_name,
        "package": row.title,
        "priority": priority_text(number),
    }
    note(
        connection,
        row.study_uid,
        "queued",
        "rules.timeline.prioritised",
        values,
        package=row.package,
        job_id=job_id,
    )
    publish_job(connection, row.study_uid, job_id, row.package, row.state)
    detail = {"job": job_id, "package": row.package, "old": row.priority, "new": number}
    record(connection, principal, "job.priority", study_uid=row.study_uid, detail=detail)


def _again(connection: Connection, planned: PackagePlan, principal: Principal) -> Rerun:
    job_id = planned.identity.job_id
    before = _state(connection, job_id)
    carry_out(connection, planned)
    outcome: str = planned.outcome
    if outcome == "run" and before in (JobState.FAILED, JobState.CANCELLED):
        retry(connection, job_id, principal)
        outcome = "retried"
    after = _state(connection, job_id)
    if outcome == "run":
        known = before not in ("", JobState.SUPERSEDED) or after == JobState.DONE
        outcome = "same" if known else "new"
    return Rerun(planned.manifest.id, outcome, job_id if after else "", after)


def _state(connection: Connection, job_id: str) -> str:
    found = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar_one_or_none()
    return found or ""
