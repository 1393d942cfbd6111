"""Claiming, updating, completing and cancelling workitems (PS3.18 §11.6-11.8, IHE RAD-82 ff.)."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, update

from ennead import events, headers
from ennead.database import upsert
from ennead.errors import Conflict, InputError
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pacs.index.tables import instances, series
from ennead_pipelines.jobs.control import cancel, locked
from ennead_pipelines.jobs.external import external_name, external_owner
from ennead_pipelines.jobs.queue import publish_job
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.lanes import Sight
from ennead_pipelines.metrics import JOBS
from ennead_pipelines.notes import note
from ennead_pipelines.tables import jobs
from ennead_pipelines.ups.identity import transaction_digest
from ennead_pipelines.ups.parse import UPDATABLE, cancel_reason
from ennead_pipelines.ups.states import PRIORITIES, UPSState
from ennead_pipelines.ups.tables import claims
from ennead_pipelines.ups.workitem import Workitem, find_workitem

WRONG_STATE: Final = (
    "The submitted request is inconsistent with the current state of the UPS Instance."
)
WRONG_TRANSACTION: Final = "The Transaction UID is incorrect."
NOT_FINAL: Final = "The UPS Instance does not meet the requirements of its final state."
ALREADY: Final = "The UPS is already in the requested state of {state}."
#: SOP classes of results by the columns of ``jobs`` that hold them.
_RESULTS: Final = {
    "1.2.840.10008.5.1.4.1.1.66.4": "seg",
    "1.2.840.10008.5.1.4.1.1.66.7": "seg",
    "1.2.840.10008.5.1.4.1.1.88.33": "sr",
    "1.2.840.10008.5.1.4.1.1.88.34": "sr",
}


def change_state(
    connection: Connection,
    uid: str,
    wanted: UPSState,
    transaction_uid: str,
    principal: Principal,
    sight: Sight,
    claim_s: float,
) -> str:
    """Claim, complete or cancel; returns a warning for a state that it already has.

    Raises
    ------
    NotFound, Conflict
        With ``warning`` as PS3.18 Table 11.7.3-1 has it.
    """
    workitem = _locked(connection, uid, sight)
    digest = transaction_digest(transaction_uid)
    if wanted is UPSState.IN_PROGRESS:
        _claim(connection, workitem, digest, principal, claim_s)
        return ""
    if workitem.state is wanted and _owns(workitem, digest):
        return ALREADY.format(state=wanted)
    _require_owner(workitem, digest)
    if wanted is UPSState.COMPLETED:
        _complete(connection, workitem, principal)
    else:
        document = workitem.claim.document if workitem.claim else {}
        progress = headers.items(document, "00741002")
        cancel(
            connection,
            workitem.job.id,
            principal,
            cancel_reason(progress[0]) if progress else "",
        )
    return ""


def update_workitem(
    connection: Connection,
    uid: str,
    changes: Mapping[str, Any],
    transaction_uid: str,
    principal: Principal,
    sight: Sight,
    claim_s: float,
) -> None:
    """What a performer says of its work; of a scheduled workitem, its priority.

    Raises
    ------
    NotFound, InputError, Conflict
    """
    workitem = _locked(connection, uid, sight)
    if workitem.state is UPSState.SCHEDULED:
        _schedule(connection, workitem, changes)
        return
    digest = transaction_digest(transaction_uid)
    _require_owner(workitem, digest)
    assert workitem.claim is not None
    said = {tag: value for tag, value in changes.items() if tag in UPDATABLE}
    row = {**workitem.claim._mapping, "document": {**workitem.claim.document, **said}}
    upsert(connection, claims, row, keys=["job_id", "generation"])
    progress = headers.items(said, "00741002")
    percent = headers.number(progress[0], "00741004") if progress else None
    values: dict[str, Any] = {"lease_until": now() + dt.timedelta(seconds=claim_s)}
    if percent is not None:
        values["fraction"] = min(max(percent / 100, 0.0), 1.0)
    connection.execute(
        update(jobs).where(jobs.c.id == workitem.job.id).values(updated_at=now(), **values)
    )


def request_cancellation(
    connection: Connection, uid: str, reason: str, principal: Principal, sight: Sight
) -> str:
    """Stop what waits or what we compute; ask another performer to stop. Returns a warning.

    Raises
    ------
    NotFound, Conflict
        It is completed already.
    """
    workitem = _locked(connection, uid, sight)
    if workitem.state is UPSState.CANCELED:
        return ALREADY.format(state=UPSState.CANCELED)
    if workitem.state is UPSState.COMPLETED:
        raise Conflict(f"Workitem {uid} is completed.", warning=WRONG_STATE)
    if external_name(workitem.job.lease_owner) is None:
        cancel(connection, workitem.job.id, principal, reason)
        return ""
    payload = {
        "job": workitem.job.id,
        "uid": workitem.uid,
        "reason": reason,
        "by": principal.display_name,
    }
    study_uid = workitem.job.study_uid
    events.publish(connection, events.CANCEL_REQUESTED, study_uid=study_uid, payload=payload)
    detail = {"workitem": workitem.uid, "job": workitem.job.id}
    record(connection, principal, "workitem.cancel_requested", study_uid=study_uid, detail=detail)
    return ""


def _locked(connection: Connection, uid: str, sight: Sight) -> Workitem:
    """The workitem, with its job's row locked.

    Raises
    ------
    NotFound
    Conflict
        The job was put back since: this workitem has ended.
    """
    locked(connection, find_workitem(connection, uid, sight).job.id)
    return find_workitem(connection, uid, sight)


def _claim(
    connection: Connection, workitem: Workitem, digest: str, principal: Principal, claim_s: float
) -> None:
    if workitem.state is not UPSState.SCHEDULED:
        raise Conflict(
            f"Workitem {workitem.uid} is {workitem.state}; only a scheduled one can be claimed.",
            warning=WRONG_STATE,
        )
    job, at = workitem.job, now()
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job.id)
        .values(
            state=JobState.RUNNING,
            attempts=jobs.c.attempts + 1,
            lease_owner=external_owner(digest, principal.name),
            lease_until=at + dt.timedelta(seconds=claim_s),
            started_at=at,
            updated_at=at,
            fraction=0.0,
            step="ups.step.external",
        )
    )
    row = {
        "job_id": job.id,
        "generation": workitem.generation,
        "transaction_digest": digest,
        "performer": principal.name[:64],
        "claimed_at": at,
        "completed": False,
        "document": {},
    }
    upsert(connection, claims, row, keys=["job_id", "generation"])
    _tell(connection, workitem, principal, "started", "claimed", JobState.RUNNING)


def _complete(connection: Connection, workitem: Workitem, principal: Principal) -> None:
    assert workitem.claim is not None
    performed = headers.items(workitem.claim.document, "00741216")
    needed = {"00404050": "start", "00404051": "end"}
    missing = [n for tag, n in needed.items() if not performed or not performed[0].get(tag)]
    if missing or "00404033" not in performed[0]:
        raise Conflict(
            "A workitem is completed with its Unified Procedure Step Performed Procedure Sequence "
            "(0074,1216): start, end, and an Output Information Sequence, which may be empty. "
            "Update it first.",
            warning=NOT_FINAL,
        )
    at = now()
    connection.execute(
        update(jobs)
        .where(jobs.c.id == workitem.job.id)
        .values(
            state=JobState.DONE,
            lease_owner="",
            lease_until=None,
            finished_at=at,
            updated_at=at,
            fraction=1.0,
            step="",
            **_stored_results(connection, performed[0]),
        )
    )
    connection.execute(
        update(claims)
        .where(claims.c.job_id == workitem.job.id, claims.c.generation == workitem.generation)
        .values(completed=True)
    )
    JOBS.labels(workitem.job.package, str(JobState.DONE)).inc()
    _tell(connection, workitem, principal, "stored", "completed", JobState.DONE)


def _stored_results(connection: Connection, performed: Mapping[str, Any]) -> dict[str, str]:
    """Columns for the performer's segmentation and report, where they are in the archive."""
    found: dict[str, str] = {}
    for output in headers.items(performed, "00404033"):
        for reference in headers.items(output, "00081199"):
            uid = headers.text(reference, "00081155")
            row = connection.execute(
                select(instances.c.sop_class_uid, series.c.series_uid)
                .join(series, series.c.id == instances.c.series_key)
                .where(instances.c.instance_uid == uid)
            ).one_or_none()
            kind = _RESULTS.get(row.sop_class_uid) if row else None
            if row is not None and kind is not None:
                found[f"{kind}_instance_uid"] = uid
                found[f"{kind}_series_uid"] = row.series_uid
    return found


def _schedule(connection: Connection, workitem: Workitem, changes: Mapping[str, Any]) -> None:
    wanted = headers.text(changes, "00741200")
    if wanted not in PRIORITIES or changes.keys() - {"00741200"}:
        raise InputError(
            "Of a scheduled workitem only Scheduled Procedure Step Priority (0074,1200) can be "
            "changed, to HIGH, MEDIUM or LOW."
        )
    connection.execute(
        update(jobs)
        .where(jobs.c.id == workitem.job.id)
        .values(priority=PRIORITIES[wanted], updated_at=now())
    )


def _owns(workitem: Workitem, digest: str) -> bool:
    claim = workitem.claim
    return claim is not None and hmac.compare_digest(claim.transaction_digest, digest)


def _require_owner(workitem: Workitem, digest: str) -> None:
    """Only in progress, and only for the one who claimed it."""
    if workitem.state is not UPSState.IN_PROGRESS or not workitem.is_current:
        raise Conflict(f"Workitem {workitem.uid} is {workitem.state}.", warning=WRONG_STATE)
    owner = external_owner(digest, "")
    if not _owns(workitem, digest) or not workitem.job.lease_owner.startswith(owner):
        raise Conflict(
            f"Workitem {workitem.uid} is in progress under another Transaction UID; a claim that "
            "was not renewed in time is lost.",
            warning=WRONG_TRANSACTION,
        )


def _tell(
    connection: Connection,
    workitem: Workitem,
    principal: Principal,
    step: str,
    what: str,
    state: JobState,
) -> None:
    job = workitem.job
    note(
        connection,
        job.study_uid,
        step,
        f"ups.timeline.{what}",
        {"package": job.title, "by": principal.display_name},
        package=job.package,
        job_id=job.id,
    )
    publish_job(connection, job.study_uid, job.id, job.package, state)
    detail = {"workitem": workitem.uid, "job": job.id, "package": job.package}
    record(connection, principal, f"workitem.{what}", study_uid=job.study_uid, detail=detail)
