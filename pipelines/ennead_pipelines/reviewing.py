"""A reader's decision on a finding: the successor report, then one transaction for the rest.

Two readers of one report are put in line by a lock on its job, so that no two successors name the
same predecessor. A decision that was made meanwhile is never overwritten: :class:`Conflict`.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, or_, select, update

from ennead import events
from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import Conflict, InputError, NotFound
from ennead.identifiers import InstanceUID, TrackingUID
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.held import release
from ennead_pipelines.jobs.states import FindingState, now, refresh_study_state
from ennead_pipelines.lanes import Lane, pilots_of, sight_of
from ennead_pipelines.notes import note
from ennead_pipelines.review import Decision, DecisionState, EncodedReview, encode_review
from ennead_pipelines.tables import decisions, findings, jobs

#: How long a reader waits for another decision on the same report, and how long one may take.
WAIT_SECONDS: Final = 5.0
LOCK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader said.

    Parameters
    ----------
    values : mapping
        Measurement id → the reader's value, for an edit.
    reason, comment : str
        A reason of :data:`ennead_pipelines.review.REASONS` for a rejection; free text otherwise.
    revision : int or None
        The finding's revision that the reader saw; None accepts any that nobody else decided on.
    """

    state: FindingState
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    comment: str = ""
    revision: int | None = None


def decide(
    database: Database,
    archive: Archive,
    organisation: str,
    reader: Principal,
    finding_id: str,
    verdict: Verdict,
) -> None:
    """Write the verified successor report and record the decision.

    A pilot's result enters the archive with the first decision of a reader chosen for the pilot:
    as the package wrote it, then the successor.

    Raises
    ------
    NotFound
        No such finding, or none that this reader may see.
    Conflict
        The finding was decided meanwhile, its result is superseded, or it is in a lane that this
        reader does not decide in.
    InputError
        The decision is incomplete, or edits a measurement that the finding does not have.
    """
    with database.read() as connection:
        finding = _finding(connection, finding_id, reader)
    _check_values(finding, verdict)
    with _report_lock(database, finding.job_id) as token:
        with database.read() as connection:
            finding = _finding(connection, finding_id, reader)
            last = _last_decision(connection, finding_id)
            if _said_already(finding, last, reader, verdict):
                return
            _require_open(finding, last, reader, verdict)
        if finding.lane != Lane.ACTIVE:
            release(database, archive, finding.job_id, reader)
        with database.read() as connection:
            job = connection.execute(select(jobs).where(jobs.c.id == finding.job_id)).one()
            said = _decisions(connection, finding.job_id)
        at = now()
        decision = _decision(finding, verdict)
        review = _encode(archive, job, [*said, decision], reader, organisation, at)
        if archive.find_instance(review.sr_instance_uid) is None:
            archive.store(review.sr, source=f"review:{reader.name}"[:200])
        with database.begin() as connection:
            _record(connection, finding, job, token, reader, verdict, review, at)


def _finding(connection: Connection, finding_id: str, reader: Principal) -> Row[Any]:
    row = connection.execute(select(findings).where(findings.c.id == finding_id)).one_or_none()
    sight = sight_of(connection, reader)
    if row is None or not sight.sees(row.lane, row.package, row.version):
        raise NotFound(f"No finding has the id {finding_id[:40]!r}.")
    if row.hidden:
        raise Conflict(
            "This finding belongs to a superseded result; decide on the finding of the newer one."
        )
    if row.lane != Lane.ACTIVE:
        _require_chosen(connection, row, reader)
    return row


def _require_chosen(connection: Connection, finding: Row[Any], reader: Principal) -> None:
    """Nobody decides in the shadow; in a pilot, its chosen readers do."""
    if finding.lane != Lane.PILOT:
        raise Conflict(
            f"This finding is in the {finding.lane} lane, where nobody decides; release it, or "
            "make its model a pilot."
        )
    if (finding.package, finding.version) not in pilots_of(connection, reader.name):
        raise Conflict("Only the readers chosen for this pilot decide on its findings.")


def _check_values(finding: Row[Any], verdict: Verdict) -> None:
    known = [m["id"] for m in finding.document["measurements"]]
    unknown = sorted(set(verdict.values) - set(known))
    if unknown:
        raise InputError(
            f"This finding measures {', '.join(known) or 'nothing'}; it has no "
            f"{', '.join(unknown)} to edit."
        )


def _last_decision(connection: Connection, finding_id: str) -> Row[Any] | None:
    return connection.execute(
        select(decisions)
        .where(decisions.c.finding_id == finding_id)
        .order_by(decisions.c.id.desc())
        .limit(1)
    ).one_or_none()


def _said_already(
    finding: Row[Any], last: Row[Any] | None, reader: Principal, verdict: Verdict
) -> bool:
    """Whether this reader has just said the same: a repeated request changes nothing."""
    return (
        last is not None
        and last.reader == reader.name
        and last.state == finding.state == verdict.state
        and dict(last._mapping["values"]) == dict(verdict.values)
        and (last.reason, last.comment) == (verdict.reason, verdict.comment)
    )


def _require_open(
    finding: Row[Any], last: Row[Any] | None, reader: Principal, verdict: Verdict
) -> None:
    changed = verdict.revision is not None and verdict.revision != finding.revision
    others = verdict.revision is None and last is not None and last.reader != reader.name
    if changed or others:
        by = last.reader_name if last else "somebody"
        raise Conflict(
            f"{by} has already decided on this finding ({finding.state}); reload it before "
            "deciding again.",
            state=finding.state,
            revision=finding.revision,
        )


def _decisions(connection: Connection, job_id: str) -> list[Decision]:
    """Every decision on the job's report so far, oldest first."""
    rows = connection.execute(
        select(decisions, findings.c.tracking_uid, findings.c.document)
        .select_from(decisions.join(findings, decisions.c.finding_id == findings.c.id))
        .where(findings.c.job_id == job_id)
        .order_by(decisions.c.id)
    ).all()
    return [
        Decision(
            finding_id=row.document["finding"],
            tracking_uid=TrackingUID(row.tracking_uid),
            state=DecisionState(row.state),
            values=row._mapping["values"],
            reason=row.reason,
            comment=row.comment,
        )
        for row in rows
    ]


def _decision(finding: Row[Any], verdict: Verdict) -> Decision:
    return Decision(
        finding_id=finding.document["finding"],
        tracking_uid=TrackingUID(finding.tracking_uid),
        state=DecisionState(str(verdict.state)),
        values=dict(verdict.values),
        reason=verdict.reason,
        comment=verdict.comment,
    )


def _encode(
    archive: Archive,
    job: Row[Any],
    said: list[Decision],
    reader: Principal,
    organisation: str,
    at: dt.datetime,
) -> EncodedReview:
    original = archive.path(InstanceUID(job.sr_instance_uid)).read_bytes()
    previous = None
    if job.current_sr_uid != job.sr_instance_uid:
        previous = archive.path(InstanceUID(job.current_sr_uid)).read_bytes()
    return encode_review(
        original, said, previous_sr=previous, reader=reader, organisation=organisation, at=at
    )


def _record(
    connection: Connection,
    finding: Row[Any],
    job: Row[Any],
    token: str,
    reader: Principal,
    verdict: Verdict,
    review: EncodedReview,
    at: dt.datetime,
) -> None:
    held = connection.execute(
        update(jobs)
        .where(jobs.c.id == job.id, jobs.c.review_lock == token)
        .values(current_sr_uid=review.sr_instance_uid)
    ).rowcount
    changed = connection.execute(
        update(findings)
        .where(findings.c.id == finding.id, findings.c.revision == finding.revision)
        .values(state=str(verdict.state), revision=finding.revision + 1)
    ).rowcount
    if not (held and changed):
        raise Conflict("Another decision on this report came first; reload and decide again.")
    connection.execute(
        insert(decisions).values(
            finding_id=finding.id,
            revision=finding.revision + 1,
            state=str(verdict.state),
            reader=reader.name,
            reader_name=reader.display_name,
            at=at,
            reason=verdict.reason,
            comment=verdict.comment,
            values=dict(verdict.values),
            sr_instance_uid=review.sr_instance_uid,
        )
    )
    payload = {"finding": finding.id, "decision": str(verdict.state)}
    events.publish(
        connection, events.FINDING_REVIEWED, study_uid=finding.study_uid, payload=payload
    )
    refresh_study_state(connection, finding.study_uid)
    reason: Any = verdict.reason or verdict.comment or "–"
    if verdict.state is FindingState.REJECTED:
        reason = {"key": f"jobs.rejection.{verdict.reason}", "values": {}}
    sr = f"/series/{job.sr_series_uid}/instances/{review.sr_instance_uid}"
    note(
        connection,
        finding.study_uid,
        "reviewed",
        f"timeline.{verdict.state}",
        {"by": reader.display_name, "finding": finding.document["title"], "reason": reason},
        package=finding.package,
        job_id=finding.job_id,
        at=at,
        links=[
            {
                "label_key": "timeline.link.sr",
                "href": f"/dicom-web/studies/{finding.study_uid}{sr}",
            }
        ],
    )
    record(
        connection,
        reader,
        f"finding.{verdict.state}",
        study_uid=finding.study_uid,
        object_uid=review.sr_instance_uid,
        detail={"finding": finding.id, "job": job.id, "reason": verdict.reason},
    )


@contextmanager
def _report_lock(database: Database, job_id: str) -> Iterator[str]:
    """One decision at a time on the report of a job; a lock of a dead process runs out."""
    token = secrets.token_hex(16)
    until = time.monotonic() + WAIT_SECONDS
    while not _take(database, job_id, token):
        if time.monotonic() > until:
            raise Conflict("Another decision on this report is being written; try again.")
        time.sleep(0.05)
    try:
        yield token
    finally:
        with database.begin() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.review_lock == token)
                .values(review_lock="", review_lock_until=None)
            )


def _take(database: Database, job_id: str, token: str) -> bool:
    at = now()
    with database.begin() as connection:
        taken = connection.execute(
            update(jobs)
            .where(
                jobs.c.id == job_id,
                or_(jobs.c.review_lock == "", jobs.c.review_lock_until < at),
            )
            .values(review_lock=token, review_lock_until=at + dt.timedelta(seconds=LOCK_SECONDS))
        ).rowcount
    return bool(taken)
