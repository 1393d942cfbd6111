"""Taking jobs, keeping them, giving them back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from ennead import events
from ennead.database import Database
from ennead.identifiers import JobID, PackageID, SeriesUID, StudyUID
from ennead_pipelines.given.given import Given
from ennead_pipelines.jobs.identity import JobIdentity
from ennead_pipelines.jobs.order import claim_order
from ennead_pipelines.jobs.states import JobState, now, refresh_study_state
from ennead_pipelines.jobs.terms import ROUTINE
from ennead_pipelines.tables import jobs


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job."""

    id: JobID
    identity: JobIdentity
    title: Mapping[str, str]
    inputs: Mapping[str, SeriesUID]
    attempt: int
    failures: int
    content_digest: str
    lane: str = "active"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    function: str = ""
    call: Mapping[str, Any] = field(default_factory=dict)
    given: Given = field(default_factory=Given)
    priority: int = ROUTINE

    @property
    def study_uid(self) -> StudyUID:
        """The study it works on."""
        return self.identity.study_uid

    @property
    def package(self) -> PackageID:
        """The package that does the work."""
        return self.identity.package


class JobQueue:
    """The jobs of the database, as one worker sees them.

    Parameters
    ----------
    owner : str
        ``place/incarnation``: the place outlives the process, so that a restarted worker knows
        which jobs its predecessor held.
    lease_s : float
        Seconds after which a lease that is not renewed is taken over.
    """

    def __init__(self, database: Database, owner: str, lease_s: float) -> None:
        self.database = database
        self.owner = owner
        self._lease = dt.timedelta(seconds=lease_s)

    def recover(self) -> list[JobID]:
        """Give back what an earlier process at this place held; done once at start."""
        place = self.owner.split("/")[0]
        with self.database.begin() as connection:
            held = connection.execute(
                select(jobs.c.id, jobs.c.study_uid).where(
                    jobs.c.state == JobState.RUNNING,
                    jobs.c.lease_owner.startswith(f"{place}/", autoescape=True),
                    jobs.c.lease_owner != self.owner,
                )
            ).all()
            for row in held:
                self._set(connection, row.id, state=JobState.WAITING, lease_owner="")
                refresh_study_state(connection, row.study_uid)
        return [JobID(row.id) for row in held]

    def claim(self, limit: int, *, functions: bool = False) -> list[Job]:
        """Lease up to ``limit`` jobs that are due, and count the attempt.

        In the order of :mod:`ennead_pipelines.jobs.order`.

        Parameters
        ----------
        functions : bool
            Calls of interactive functions, which have a loop of their own, instead of studies.
        """
        if limit < 1:
            return []
        at = now()
        due = or_(
            and_(jobs.c.state == JobState.WAITING, jobs.c.not_before <= at),
            and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < at),
        )
        order = claim_order(self.database.engine.dialect.name)
        kind = jobs.c.function != "" if functions else jobs.c.function == ""
        query = select(jobs).where(kind, due).order_by(*order).limit(limit)
        with self.database.read() as connection:
            if connection.execute(query).first() is None:
                return []
        with self.database.begin() as connection:
            rows = connection.execute(query.with_for_update(skip_locked=True)).all()
            for row in rows:
                self._set(
                    connection,
                    row.id,
                    state=JobState.RUNNING,
                    attempts=row.attempts + 1,
                    lease_owner=self.owner,
                    lease_until=at + self._lease,
                    started_at=at,
                    fraction=0.0,
                    step="jobs.step.waiting",
                )
                self.announce(connection, row, JobState.RUNNING)
        return [_job(row) for row in rows]

    def renew(self, held: Collection[str]) -> set[str]:
        """Extend the leases of ``held``; returns those that are no longer ours."""
        if not held:
            return set()
        with self.database.begin() as connection:
            connection.execute(
                update(jobs)
                .where(self._mine(), jobs.c.id.in_(held))
                .values(lease_until=now() + self._lease)
            )
            kept = set(
                connection.execute(select(jobs.c.id).where(self._mine(), jobs.c.id.in_(held)))
                .scalars()
                .all()
            )
        return set(held) - kept

    def lost(self, held: Collection[str]) -> set[str]:
        """Those of ``held`` that are no longer ours: cancelled, superseded or taken over."""
        if not held:
            return set()
        with self.database.read() as connection:
            query = select(jobs.c.id).where(self._mine(), jobs.c.id.in_(held))
            return set(held) - set(connection.execute(query).scalars())

    def progress(self, reports: Mapping[str, tuple[float, str]]) -> None:
        """Write ``job id → (fraction, step's text key)`` of running jobs."""
        if not reports:
            return
        with self.database.begin() as connection:
            for job_id, (fraction, step) in reports.items():
                connection.execute(
                    update(jobs)
                    .where(self._mine(), jobs.c.id == job_id)
                    .values(fraction=min(max(fraction, 0.0), 1.0), step=step, updated_at=now())
                )

    def give_back(
        self, job: Job, delay_s: float, *, fault: bool, reason: Mapping[str, Any]
    ) -> None:
        """Return a job to the queue, to be tried again after ``delay_s``.

        Parameters
        ----------
        fault : bool
            The package's own failure, which counts; not a lost machine, which does not.
        reason : mapping
            ``reason_key`` and ``reason_values``.
        """
        # Without a delay a job keeps its turn: being interrupted must not send it to the end.
        later = {"not_before": now() + dt.timedelta(seconds=delay_s)} if delay_s > 0 else {}
        with self.database.begin() as connection:
            changed = connection.execute(
                update(jobs)
                .where(self._mine(), jobs.c.id == job.id)
                .values(
                    state=JobState.WAITING,
                    lease_owner="",
                    lease_until=None,
                    failures=jobs.c.failures + (1 if fault else 0),
                    updated_at=now(),
                    **later,
                    **reason,
                )
            ).rowcount
            if changed:
                self.announce_job(connection, job, JobState.WAITING)

    def remember_content(self, job: Job, digest: str) -> None:
        """Record what is about to be stored, so that a later run can be compared with it."""
        with self.database.begin() as connection:
            self._set(connection, job.id, content_digest=digest)

    def hold(self, connection: Connection, job: Job) -> bool:
        """Whether the job is still ours; the caller's transaction then ends it."""
        row = connection.execute(
            select(jobs.c.id).where(self._mine(), jobs.c.id == job.id).with_for_update()
        ).one_or_none()
        return row is not None

    def announce(self, connection: Connection, row: Row[Any], state: JobState) -> None:
        """Publish a row's new state and refresh its study's line."""
        publish_job(connection, row.study_uid, row.id, row.package, state)

    def announce_job(self, connection: Connection, job: Job, state: JobState) -> None:
        """Publish a job's new state and refresh its study's line."""
        publish_job(connection, job.study_uid, job.id, job.package, state)

    def _mine(self) -> Any:
        return and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_owner == self.owner)

    def _set(self, connection: Connection, job_id: str, **values: Any) -> None:
        connection.execute(
            update(jobs).where(jobs.c.id == job_id).values(updated_at=now(), **values)
        )


def publish_job(
    connection: Connection, study_uid: str, job_id: str, package: str, state: str
) -> None:
    """The event ``JOB_CHANGED`` and the study's line, in the caller's transaction."""
    payload = {"job": job_id, "package": package, "state": str(state)}
    events.publish(connection, events.JOB_CHANGED, study_uid=study_uid, payload=payload)
    refresh_study_state(connection, study_uid)


def _job(row: Row[Any]) -> Job:
    identity = JobIdentity(
        StudyUID(row.study_uid),
        PackageID(row.package),
        row.version,
        row.manifest_digest,
        row.input_digest,
        row.parameters_digest,
    )
    inputs = {name: SeriesUID(uid) for name, uid in row.inputs.items()}
    return Job(
        JobID(row.id),
        identity,
        dict(row.title),
        inputs,
        row.attempts + 1,
        row.failures,
        row.content_digest,
        row.lane,
        {name: float(value) for name, value in row.thresholds.items()},
        dict(row.models),
        row.function,
        dict(row.call),
        Given.from_json(row.given),
        row.priority,
    )
