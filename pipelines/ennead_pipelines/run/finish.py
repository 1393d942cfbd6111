"""The end of a job: results stored and listed, or the reason there are none."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from ennead.contracts import Archive
from ennead.database import Database, insert_ignore
from ennead.errors import Conflict, NonReproducibleResult
from ennead.findings import Refusal
from ennead.identifiers import InstanceUID
from ennead.plugins import Manifest
from ennead.security import SYSTEM
from ennead.security.audit import record
from ennead_pipelines.held import HeldObject, hold
from ennead_pipelines.jobs import Job, JobQueue, JobState, finding_id
from ennead_pipelines.jobs.create import write_refusals
from ennead_pipelines.jobs.states import now
from ennead_pipelines.lanes import Lane
from ennead_pipelines.metrics import JOBS
from ennead_pipelines.notes import note, result_links
from ennead_pipelines.run.calls import tell_call
from ennead_pipelines.run.documents import finding_document
from ennead_pipelines.run.faults import Fault
from ennead_pipelines.run.requests import JobOutput
from ennead_pipelines.tables import findings, jobs
from ennead_pipelines.telemetry import record_stage, stage

log = structlog.get_logger(__name__)


class Finisher:
    """Ends jobs: one transaction for each end, with its event, its notes and its audit entry."""

    def __init__(self, database: Database, archive: Archive, queue: JobQueue) -> None:
        self._database = database
        self._archive = archive
        self._queue = queue

    def complete(self, job: Job, manifest: Manifest, output: JobOutput) -> JobState | None:
        """Store SEG then SR, then end the job; None when it is no longer ours.

        Raises
        ------
        NonReproducibleResult
            Results of the same identity are stored with other content; nothing was written.
        ArchiveError
            The archive cannot take the results now.
        """
        for name, seconds in output.durations_s.items():
            record_stage(name, job.study_uid, job.id, seconds)
        with self._database.begin() as connection:
            if not self._queue.hold(connection, job):
                return None
        held = job.lane != Lane.ACTIVE
        stored = 0
        begun = time.perf_counter()
        if held:
            self._require_same(job, output)
        elif output.sr or output.seg:
            stored = self._store(job, output)
        stored_s = time.perf_counter() - begun
        state = JobState.DONE if output.sr or output.seg else JobState.REFUSED
        with self._database.begin() as connection:
            if not self._queue.hold(connection, job):
                return None
            if held:
                hold(connection, job.id, _objects(output))
            write_refusals(connection, job.id, manifest, "run", output.refusals)
            self._list_findings(connection, job, manifest, output)
            self._tell(connection, job, output, stored)
            reason = _reason_of(output.refusals) if state is JobState.REFUSED else {}
            self._end(
                connection,
                job,
                state,
                fraction=1.0,
                output_s=_own_durations(output, stored_s),
                content_digest=output.content_digest,
                seg_instance_uid=output.seg_instance_uid,
                seg_series_uid=output.seg_series_uid,
                sr_instance_uid=output.sr_instance_uid,
                sr_series_uid=output.sr_series_uid,
                current_sr_uid=output.sr_instance_uid,
                **reason,
            )
            detail = {"package": job.package, "job": job.id, "version": job.identity.version}
            record(
                connection,
                SYSTEM,
                _action(state, held=held),
                study_uid=job.study_uid,
                object_uid=output.sr_instance_uid,
                detail=detail,
            )
        return state

    def refuse(
        self, job: Job, manifest: Manifest, refusals: Sequence[Refusal], stage: str = "run"
    ) -> None:
        """End the job because its images cannot be used; the first refusal is its reason."""
        self._give_up(
            job, JobState.REFUSED, manifest, refusals, "timeline.declined", refused_at=stage
        )

    def decline(self, job: Job, manifest: Manifest, refusals: Sequence[Refusal]) -> None:
        """Some outputs will not be computed, because of what the pixels showed."""
        with self._database.begin() as connection:
            if self._queue.hold(connection, job):
                write_refusals(connection, job.id, manifest, "probe", refusals)

    def fail(self, job: Job, manifest: Manifest | None, refusal: Refusal, step: str) -> None:
        """End the job because it cannot be done.

        Parameters
        ----------
        step : str
            Key of the timeline text.
        """
        self._give_up(job, JobState.FAILED, manifest, [refusal], step)

    def retry(self, job: Job, fault: Fault, failures: int, limit: int) -> None:
        """Put the job back for another attempt, later each time."""
        values: dict[str, Any] = {
            **fault.values,
            "attempt": failures,
            "attempts": limit,
            "detail": fault.detail_key,
        }
        with self._database.begin() as connection:
            note(
                connection,
                job.study_uid,
                "failed",
                "timeline.retrying",
                {**values, "package": dict(job.title)},
                package=job.package,
                job_id=job.id,
                state="failed",
            )
        self._queue.give_back(
            job,
            min(60.0, 2.0 ** (failures - 1)),
            fault=True,
            reason={"reason_key": "jobs.reason.retrying", "reason_values": values},
        )

    def tell_started(self, job: Job, features: Mapping[str, str | float]) -> None:
        """The job's beginning on the timeline, and what its images are like."""
        values: dict[str, Any] = {
            "package": dict(job.title),
            "version": job.identity.version,
            "attempt": job.attempt,
        }
        with self._database.begin() as connection:
            note(
                connection,
                job.study_uid,
                "started",
                "timeline.started",
                values,
                package=job.package,
                job_id=job.id,
            )
            connection.execute(
                update(jobs).where(jobs.c.id == job.id).values(features=dict(features))
            )

    def _store(self, job: Job, output: JobOutput) -> int:
        pairs = ((output.seg_instance_uid, output.seg), (output.sr_instance_uid, output.sr))
        present = {
            uid
            for uid, data in pairs
            if data is not None and self._archive.find_instance(InstanceUID(uid)) is not None
        }
        if present:
            self._require_same(job, output)
        self._queue.remember_content(job, output.content_digest)
        stored = 0
        with stage("store", job.study_uid, job.id):
            for uid, data in pairs:
                if data is None or (uid in present and job.content_digest):
                    continue
                try:
                    outcome = self._archive.store(data, source=f"pipeline:{job.id}")
                except Conflict as error:
                    raise NonReproducibleResult(
                        f"Job {job.id} wrote other bytes than the stored object {uid}; nothing "
                        "was overwritten.",
                        computed=output.content_digest,
                    ) from error
                stored += outcome.stored
        return stored

    def _require_same(self, job: Job, output: JobOutput) -> None:
        """What was stored or held for this identity must be what came now."""
        if job.content_digest and job.content_digest != output.content_digest:
            raise NonReproducibleResult(
                f"Job {job.id} gave content {output.content_digest}; its stored result has "
                f"{job.content_digest}. The package is not deterministic: nothing was overwritten.",
                stored=job.content_digest,
                computed=output.content_digest,
            )

    def _list_findings(
        self, connection: Connection, job: Job, manifest: Manifest, output: JobOutput
    ) -> None:
        rows = [
            {
                "id": finding_id(job.id, summary.finding.id),
                "job_id": job.id,
                "study_uid": job.study_uid,
                "package": job.package,
                "version": job.identity.version,
                "ordinal": ordinal,
                "state": "proposed",
                "urgent": summary.finding.urgent,
                "hidden": False,
                "lane": job.lane,
                "tracking_uid": summary.tracking_uid,
                "document": finding_document(summary, output, manifest),
                "revision": 0,
                "created_at": now(),
            }
            for ordinal, summary in enumerate(output.findings)
        ]
        if rows:
            insert_ignore(connection, findings, rows)

    def _tell(self, connection: Connection, job: Job, output: JobOutput, stored: int) -> None:
        if job.function:
            tell_call(connection, job, output, _reason_of(output.refusals))
            return
        common: dict[str, Any] = {"package": job.package, "job_id": job.id}
        title = {"package": dict(job.title)}
        seconds = output.durations_s
        key = "timeline.shared" if output.shared else "timeline.loaded"
        at = now()
        note(
            connection,
            job.study_uid,
            "loaded",
            key,
            {"slices": output.slices},
            at=at - dt.timedelta(seconds=seconds["measure"] + seconds["encode"]),
            duration_s=None if output.shared else seconds["load"],
            **common,
        )
        if output.anatomy_at:
            note(
                connection,
                job.study_uid,
                "anatomy",
                "timeline.anatomy",
                {},
                at=output.anatomy_at,
                duration_s=seconds["anatomy"],
                **common,
            )
        note(
            connection,
            job.study_uid,
            "measured",
            "timeline.measured",
            {**title, "findings": len(output.findings), "refusals": len(output.refusals)},
            at=at - dt.timedelta(seconds=seconds["encode"]),
            duration_s=seconds["measure"],
            **common,
        )
        if not (output.sr or output.seg):
            reason = _reason_of(output.refusals)
            text = {"key": reason["reason_key"], "values": reason["reason_values"]}
            values = {**title, "reason": text}
            note(
                connection,
                job.study_uid,
                "refused",
                "timeline.declined",
                values,
                state="refused",
                **common,
            )
            return
        held = job.lane != Lane.ACTIVE
        links = result_links(
            job.study_uid,
            seg=("", "") if held else (output.seg_series_uid, output.seg_instance_uid),
            sr=("", "") if held else (output.sr_series_uid, output.sr_instance_uid),
        )
        key = "timeline.stored" if stored else "timeline.found_stored"
        note(
            connection,
            job.study_uid,
            "stored",
            f"timeline.held.{job.lane}" if held else key,
            title,
            duration_s=seconds["encode"],
            links=links,
            **common,
        )

    def _give_up(
        self,
        job: Job,
        state: JobState,
        manifest: Manifest | None,
        refusals: Sequence[Refusal],
        text_key: str,
        refused_at: str = "run",
    ) -> None:
        refusal = refusals[0]
        reason: dict[str, Any] = {
            "reason_key": refusal.text_key,
            "reason_values": dict(refusal.values),
        }
        text = {"key": refusal.text_key, "values": dict(refusal.values)}
        values = {**refusal.values, "package": dict(job.title), "reason": text}
        with self._database.begin() as connection:
            if not self._queue.hold(connection, job):
                return
            if manifest is not None:
                write_refusals(connection, job.id, manifest, refused_at, refusals)
            note(
                connection,
                job.study_uid,
                str(state),
                text_key,
                values,
                package=job.package,
                job_id=job.id,
                state=str(state),
            )
            self._end(connection, job, state, **reason)
            record(
                connection,
                SYSTEM,
                f"result.{state}",
                study_uid=job.study_uid,
                outcome="failure" if state is JobState.FAILED else "success",
                detail={"package": job.package, "job": job.id, "code": str(refusal.code)},
            )

    def _end(
        self,
        connection: Connection,
        job: Job,
        state: JobState,
        output_s: Mapping[str, float] | None = None,
        **values: Any,
    ) -> None:
        at = now()
        row = connection.execute(
            select(jobs.c.not_before, jobs.c.started_at).where(jobs.c.id == job.id)
        ).one()
        started_at = row.started_at or at
        durations = {
            "wait": max(0.0, (started_at - row.not_before).total_seconds()),
            **(output_s or {}),
            "total": max(0.0, (at - row.not_before).total_seconds()),
        }
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job.id)
            .values(
                state=state,
                lease_owner="",
                lease_until=None,
                finished_at=at,
                updated_at=at,
                step="",
                durations={name: round(seconds, 4) for name, seconds in durations.items()},
                **({"reason_key": "", "reason_values": {}} | values),
            )
        )
        JOBS.labels(job.package, str(state)).inc()
        self._queue.announce_job(connection, job, state)


def _objects(output: JobOutput) -> list[HeldObject]:
    pairs = (
        ("seg", output.seg_instance_uid, output.seg),
        ("sr", output.sr_instance_uid, output.sr),
    )
    return [HeldObject(kind, uid, data) for kind, uid, data in pairs if data is not None]


def _own_durations(output: JobOutput, stored_s: float) -> dict[str, float]:
    """Stage times of this job; a volume that another job decoded took it no time."""
    own = {k: v for k, v in output.durations_s.items() if k != "load" or not output.shared}
    return own | ({"store": stored_s} if output.sr or output.seg else {})


def _action(state: JobState, *, held: bool) -> str:
    """Name of the audit event."""
    if state is not JobState.DONE:
        return "result.refused"
    return "result.held" if held else "result.stored"


def _reason_of(refusals: Sequence[Refusal]) -> dict[str, Any]:
    """One sentence for a run in which everything was refused."""
    whole = next((r for r in refusals if not r.subject), None)
    if whole is None:
        return {"reason_key": "jobs.reason.everything_refused", "reason_values": {}}
    return {"reason_key": whole.text_key, "reason_values": dict(whole.values)}
