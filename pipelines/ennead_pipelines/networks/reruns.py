"""A version of a model over studies of the past: asked for, made into jobs bit by bit, watched.

Asking writes the list of studies. :class:`Expander`, in the worker process, turns them into jobs
at off-peak priority while nothing arrives; the jobs then run as any others, in the shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, Row, func, insert, select, update

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import Conflict, InputError, NotFound
from ennead.identifiers import StudyUID
from ennead.security import SYSTEM, Principal
from ennead.security.audit import record
from ennead_models.lifecycle import ModelState
from ennead_models.records import installed_version
from ennead_pacs.index import StudyQuery, studies, study_conditions
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.jobs.control import cancel, repeatable, retry
from ennead_pipelines.jobs.create import create_job
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.jobs.terms import OFF_PEAK
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.site.plan import PackagePlan, plan_study
from ennead_pipelines.site.store import load_control
from ennead_pipelines.tables import jobs, rerun_studies, reruns

#: Most studies of one re-run, and how many become jobs in one step.
MOST_STUDIES: Final = 5000
STEP: Final = 4
PENDING, MADE, SAME, MISSING, CANCELLED = "pending", "made", "same", "missing", "cancelled"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """Which studies: ``modality`` of the study, dates ``YYYYMMDD`` (or ""), newest first."""

    modality: str = ""
    date_from: str = ""
    date_to: str = ""
    limit: int = 200


def ask(
    connection: Connection,
    model: str,
    version: str,
    principal: Principal,
    *,
    study_uids: Sequence[str] = (),
    chosen: StudyFilter | None = None,
) -> int:
    """Write a re-run down; returns its number.

    Raises
    ------
    NotFound
        The version is not installed.
    Conflict
        It is retired.
    InputError
        Neither studies nor a filter, both, none that fits, or more than the limit.
    """
    known = installed_version(connection, model, version)
    if known.state is ModelState.RETIRED:
        raise Conflict(f"{model} {version} is retired; bring it back into the shadow first.")
    if bool(study_uids) == (chosen is not None):
        raise InputError("Name studies, or a filter; not both and not neither.")
    wanted = list(dict.fromkeys(study_uids)) if chosen is None else _find(connection, chosen)
    if not 0 < len(wanted) <= MOST_STUDIES:
        raise InputError(
            f"A re-run takes 1 to {MOST_STUDIES} studies; these are {len(wanted)}. Change the "
            "dates or the limit."
        )
    criteria: dict[str, Any] = {"studies": len(wanted)}
    if chosen is not None:
        criteria = {
            "filter": {
                "modality": chosen.modality,
                "date_from": chosen.date_from,
                "date_to": chosen.date_to,
                "limit": chosen.limit,
            }
        }
    number: int = connection.execute(
        insert(reruns)
        .values(
            model=model,
            version=version,
            digest=known.digest,
            lane=Lane.SHADOW,
            criteria=criteria,
            requested_by=principal.name,
            created_at=now(),
        )
        .returning(reruns.c.id)
    ).scalar_one()
    rows = [{"rerun_id": number, "study_uid": uid, "outcome": PENDING} for uid in wanted]
    connection.execute(insert(rerun_studies), rows)
    detail = {"model": model, "version": version, "rerun": number, "studies": len(wanted)}
    record(connection, principal, "model.rerun", detail=detail)
    return number


def progress(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    """Where a re-run stands: its studies by outcome, its jobs by state."""
    counted = connection.execute(
        select(rerun_studies.c.outcome, func.count().label("number"))
        .where(rerun_studies.c.rerun_id == row.id)
        .group_by(rerun_studies.c.outcome)
    )
    outcomes: dict[str, int] = {each.outcome: each.number for each in counted}
    ran = connection.execute(
        select(jobs.c.state, func.count().label("number"))
        .select_from(rerun_studies.join(jobs, jobs.c.id == rerun_studies.c.job_id))
        .where(rerun_studies.c.rerun_id == row.id, rerun_studies.c.outcome == MADE)
        .group_by(jobs.c.state)
    )
    states: dict[str, int] = {each.state: each.number for each in ran}
    names = ("waiting", "running", "done", "refused", "failed", "cancelled")
    counts = {name: states.get(name, 0) for name in names}
    counts["done"] += states.get(JobState.SUPERSEDED, 0)
    counts["waiting"] += outcomes.get(PENDING, 0)
    counts["cancelled"] += outcomes.get(CANCELLED, 0)
    counts["same"] = outcomes.get(SAME, 0)
    open_jobs = counts["waiting"] + counts["running"]
    finished = connection.execute(
        select(func.max(jobs.c.finished_at))
        .select_from(rerun_studies.join(jobs, jobs.c.id == rerun_studies.c.job_id))
        .where(rerun_studies.c.rerun_id == row.id)
    ).scalar()
    state = "running" if open_jobs else "cancelled" if row.cancelled else "done"
    return {
        "studies": sum(outcomes.values()),
        "missing": outcomes.get(MISSING, 0),
        "jobs": counts,
        "state": state,
        "finished_at": None if open_jobs else finished or row.created_at,
    }


def rerun_row(connection: Connection, model: str, version: str, number: int) -> Row[Any]:
    """One re-run.

    Raises
    ------
    NotFound
    """
    row = connection.execute(
        select(reruns).where(
            reruns.c.id == number, reruns.c.model == model, reruns.c.version == version
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"{model[:40]} {version[:20]} has no re-run {number}.")
    return row


def cancel_rerun(connection: Connection, row: Row[Any], principal: Principal) -> None:
    """Take back what still waits; what runs or has ended stays."""
    connection.execute(update(reruns).where(reruns.c.id == row.id).values(cancelled=True))
    connection.execute(
        update(rerun_studies)
        .where(rerun_studies.c.rerun_id == row.id, rerun_studies.c.outcome == PENDING)
        .values(outcome=CANCELLED)
    )
    waiting = connection.execute(
        select(jobs.c.id)
        .select_from(rerun_studies.join(jobs, jobs.c.id == rerun_studies.c.job_id))
        .where(
            rerun_studies.c.rerun_id == row.id,
            rerun_studies.c.outcome == MADE,
            jobs.c.state == JobState.WAITING,
        )
    ).scalars()
    for job_id in waiting.all():
        cancel(connection, job_id, principal, f"re-run {row.id}")
    record(
        connection,
        principal,
        "model.rerun-cancelled",
        detail={"model": row.model, "version": row.version, "rerun": row.id},
    )


class Expander:
    """Turns the studies of re-runs into jobs.

    Reads the archive's headers. Writes jobs in the shadow at off-peak priority, without the site's
    rules: somebody asked for exactly these.
    """

    def __init__(
        self,
        database: Database,
        archive: Archive,
        zone: ZoneInfo,
        catalogue: PackageCatalogue,
        giver: Giver | None = None,
    ) -> None:
        self._giver = giver
        self._database = database
        self._archive = archive
        self._zone = zone
        self._catalogue = catalogue

    def step(self) -> bool:
        """A few studies; True when there were any."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(
                    rerun_studies.c.rerun_id,
                    rerun_studies.c.study_uid,
                    reruns.c.model,
                    reruns.c.digest,
                )
                .join(reruns, reruns.c.id == rerun_studies.c.rerun_id)
                .where(rerun_studies.c.outcome == PENDING)
                .order_by(rerun_studies.c.rerun_id, rerun_studies.c.study_uid)
                .limit(STEP)
            ).all()
        for row in rows:
            self._expand(row)
        return bool(rows)

    def _expand(self, row: Any) -> None:
        package = self._catalogue.get(row.model, row.digest)
        planned = self._plan(row, package) if isinstance(package, ModelPackage) else None
        with self._database.begin() as connection:
            pending = update(rerun_studies).where(
                rerun_studies.c.rerun_id == row.rerun_id,
                rerun_studies.c.study_uid == row.study_uid,
                rerun_studies.c.outcome == PENDING,
            )
            if planned is None:
                connection.execute(pending.values(outcome=MISSING))
                return
            job_id = planned.identity.job_id
            news = _make(connection, planned)
            outcome = MADE if news else SAME
            connection.execute(pending.values(outcome=outcome, job_id=job_id))

    def _plan(self, row: Any, package: ModelPackage) -> PackagePlan | None:
        """What the model would do with the study; None when the study is gone, or only our own."""
        alone = replace(package, state=ModelState.SHADOW)
        with self._database.read() as connection:
            control = replace(load_control(connection, self._zone), rules=())
        at = now()
        try:
            plans = plan_study(
                self._database,
                self._archive,
                StudyUID(row.study_uid),
                [alone],
                control,
                at,
                giver=self._giver,
            )
        except NotFound:
            plans = None
        except Exception:  # one study must not stop the others
            log.exception("study of a re-run cannot be looked at", study_uid=row.study_uid)
            plans = None
        if not plans:
            return None
        return replace(plans[0], decision=replace(plans[0].decision, priority=OFF_PEAK))


def _make(connection: Connection, planned: PackagePlan) -> bool:
    """Make the job, or put it back when it failed or was cancelled; False when nothing is new."""
    if create_job(
        connection,
        planned.identity,
        planned.manifest,
        planned.effective,
        lane=Lane.SHADOW,
        terms=planned.terms,
    ):
        return True
    job = connection.execute(select(jobs).where(jobs.c.id == planned.identity.job_id)).one()
    if job.lane == Lane.SHADOW and job.state != JobState.REFUSED and repeatable(job):
        retry(connection, job.id, SYSTEM)
        return True
    return bool(job.state in (JobState.WAITING, JobState.RUNNING))


def _find(connection: Connection, chosen: StudyFilter) -> list[str]:
    dates = "-".join((chosen.date_from, chosen.date_to))
    filters = {
        "ModalitiesInStudy": chosen.modality,
        "StudyDate": dates if dates.strip("-") else "",
    }
    query = StudyQuery({name: value for name, value in filters.items() if value})
    return list(
        connection.execute(
            select(studies.c.study_uid)
            .where(study_conditions(query, connection.dialect.name))
            .order_by(studies.c.study_date.desc(), studies.c.id.desc())
            .limit(min(chosen.limit, MOST_STUDIES))
        ).scalars()
    )
