"""The state of a workitem from that of its job (PS3.4 §CC.1.1), and why one was cancelled."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, or_

from ennead.codes import Code, dcm
from ennead.findings import RefusalCode
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.tables import jobs


class UPSState(StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


#: Priorities of jobs and Scheduled Procedure Step Priority (0074,1200).
PRIORITIES: Final = {"HIGH": 10, "MEDIUM": 50, "LOW": 90}
_ENDED_WITHOUT: Final = (JobState.REFUSED, JobState.FAILED, JobState.CANCELLED)

# PS3.16 CID 9300 "Procedure Discontinuation Reason".
_EQUIPMENT: Final = dcm("110501", "Equipment failure")
_FORMAT: Final = dcm("110521", "Objects incorrectly formatted")
_TYPES: Final = dcm("110522", "Object Types not supported")
_INCOMPLETE: Final = dcm("110523", "Object Set incomplete")
_RESCHEDULED: Final = dcm("110528", "Discontinued Procedure Step rescheduled")
_UNSPECIFIED: Final = dcm("110513", "Discontinued for unspecified reason")
_PRE_EMPTED: Final = dcm("110526", "Resource pre-empted")
_BY_REFUSAL: Final = {
    RefusalCode.GEOMETRY_MISSING: _FORMAT,
    RefusalCode.GEOMETRY_NONUNIFORM: _INCOMPLETE,
    RefusalCode.COVERAGE: _INCOMPLETE,
    RefusalCode.NO_SERIES: _INCOMPLETE,
    RefusalCode.CLINICAL_FACT: _INCOMPLETE,
    RefusalCode.PRIOR: _INCOMPLETE,
    RefusalCode.UNDECODABLE: _FORMAT,
    RefusalCode.INTENSITY_UNITS: _FORMAT,
    RefusalCode.FAILED: _EQUIPMENT,
    RefusalCode.SITE_RULE: _PRE_EMPTED,
}


def priority_of(number: int) -> str:
    """HIGH, MEDIUM or LOW."""
    if number < PRIORITIES["MEDIUM"]:
        return "HIGH"
    return "MEDIUM" if number < PRIORITIES["LOW"] else "LOW"


def ups_state(row: Row[Any], *, completed: bool = False) -> UPSState:
    """The state of a job's workitem.

    A job that waits for another attempt is in progress: attempts belong to the queue, and no
    workitem goes back to SCHEDULED.

    Parameters
    ----------
    completed : bool
        Another system has completed it.
    """
    if row.state == JobState.DONE or completed:
        return UPSState.COMPLETED
    if row.state == JobState.SUPERSEDED:
        stored = row.sr_instance_uid or row.seg_instance_uid
        return UPSState.COMPLETED if stored else UPSState.CANCELED
    if row.state in _ENDED_WITHOUT:
        return UPSState.CANCELED
    begun = row.state == JobState.RUNNING or row.started_at is not None
    return UPSState.IN_PROGRESS if begun else UPSState.SCHEDULED


def in_state(state: UPSState) -> ColumnElement[bool]:
    """The same as a condition on ``jobs``."""
    stored = or_(jobs.c.sr_instance_uid != "", jobs.c.seg_instance_uid != "")
    superseded = jobs.c.state == JobState.SUPERSEDED
    waiting = jobs.c.state == JobState.WAITING
    conditions: dict[UPSState, ColumnElement[bool]] = {
        UPSState.SCHEDULED: and_(waiting, jobs.c.started_at.is_(None)),
        UPSState.IN_PROGRESS: or_(
            jobs.c.state == JobState.RUNNING, and_(waiting, jobs.c.started_at.is_not(None))
        ),
        UPSState.COMPLETED: or_(jobs.c.state == JobState.DONE, and_(superseded, stored)),
        UPSState.CANCELED: or_(jobs.c.state.in_(_ENDED_WITHOUT), and_(superseded, ~stored)),
    }
    return conditions[state]


def discontinuation(job_state: str, refusal_code: str) -> Code:
    """The coded reason of a cancelled workitem (0074,100E)."""
    if job_state == JobState.SUPERSEDED:
        return _RESCHEDULED
    if job_state == JobState.FAILED:
        return _EQUIPMENT
    if job_state == JobState.CANCELLED or not refusal_code:
        return _UNSPECIFIED
    return _BY_REFUSAL.get(RefusalCode(refusal_code), _TYPES)
