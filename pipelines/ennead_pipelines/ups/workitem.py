"""A workitem: a job's row, with what the tables of this room add to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from ennead.errors import NotFound
from ennead_pacs.index.tables import studies
from ennead_pipelines.lanes import Sight
from ennead_pipelines.tables import job_refusals, jobs
from ennead_pipelines.ups.identity import job_of, workitem_uid
from ennead_pipelines.ups.states import UPSState, ups_state
from ennead_pipelines.ups.tables import claims, job_generations, requests


@dataclass(frozen=True, slots=True)
class Workitem:
    """One Unified Procedure Step.

    Parameters
    ----------
    job : row of ``jobs``
        Of an earlier generation: as it was when that one ended.
    claim, request : row or None
        What another system has taken, or asked for.
    study : row of ``studies`` or None
    refusal_code : str
        The first reason that was given; "" when there was none.
    """

    uid: str
    job: Any
    generation: int
    claim: Row[Any] | None
    request: Row[Any] | None
    study: Row[Any] | None
    refusal_code: str

    @property
    def state(self) -> UPSState:
        """Where it stands."""
        return ups_state(self.job, completed=bool(self.claim and self.claim.completed))

    @property
    def is_current(self) -> bool:
        """Whether the job is still in this generation."""
        return bool(self.job.generation == self.generation)


def find_workitem(connection: Connection, uid: str, sight: Sight) -> Workitem:
    """The workitem of a UID, ours or one that a requester chose.

    Raises
    ------
    NotFound
    """
    requested = connection.execute(select(requests).where(requests.c.uid == uid)).one_or_none()
    named = (requested.job_id, requested.generation) if requested else job_of(uid)
    if named is not None:
        row = connection.execute(select(jobs).where(jobs.c.id == named[0])).one_or_none()
        seen = row is not None and row.function == "" and named[1] <= row.generation
        if row is not None and seen and sight.sees(row.lane, row.package, row.version):
            (found,) = workitems_of(connection, [(row, named[1], requested)])
            return found
    raise NotFound(f"No workitem has the UID {uid[:64]}.")


def workitems_of(
    connection: Connection, wanted: Sequence[tuple[Row[Any], int, Row[Any] | None]]
) -> list[Workitem]:
    """Workitems of ``(job, generation, request)``; claims, studies and reasons are read at once."""
    ids = [row.id for row, _, _ in wanted]
    taken = {
        (row.job_id, row.generation): row
        for row in connection.execute(select(claims).where(claims.c.job_id.in_(ids)))
    }
    earlier = {
        (row.job_id, row.generation): row.document
        for row in connection.execute(
            select(job_generations).where(job_generations.c.job_id.in_(ids))
        )
    }
    uids = {row.study_uid for row, _, _ in wanted}
    known = {
        row.study_uid: row
        for row in connection.execute(select(studies).where(studies.c.study_uid.in_(uids)))
    }
    codes: dict[str, str] = {}
    query = select(job_refusals.c.job_id, job_refusals.c.code).where(job_refusals.c.job_id.in_(ids))
    for refusal in connection.execute(query.order_by(job_refusals.c.id.desc())):
        codes[refusal.job_id] = refusal.code
    found = []
    for row, generation, request in wanted:
        past = earlier.get((row.id, generation))
        job = _as_it_was(row, past) if past is not None else row
        found.append(
            Workitem(
                request.uid if request else workitem_uid(row.id, generation),
                job,
                generation,
                taken.get((row.id, generation)),
                request,
                known.get(row.study_uid),
                past["refusal_code"] if past else codes.get(row.id, ""),
            )
        )
    return found


def with_requests(connection: Connection, rows: Sequence[Row[Any]]) -> list[Workitem]:
    """The workitems of jobs as they stand, under requesters' own UIDs where there are any."""
    ids = [row.id for row in rows]
    asked: dict[tuple[str, int], list[Row[Any]]] = {}
    query = select(requests).where(requests.c.job_id.in_(ids)).order_by(requests.c.uid)
    for request in connection.execute(query):
        asked.setdefault((request.job_id, request.generation), []).append(request)
    wanted: list[tuple[Row[Any], int, Row[Any] | None]] = []
    for row in rows:
        own = asked.get((row.id, row.generation))
        wanted += [(row, row.generation, r) for r in own] if own else [(row, row.generation, None)]
    return workitems_of(connection, wanted)


def uids_of(connection: Connection, job_id: str) -> tuple[list[str], dt.datetime | None]:
    """UIDs of the workitems of a job as it stands, and since when it exists."""
    row = connection.execute(
        select(jobs.c.generation, jobs.c.created_at, jobs.c.function).where(jobs.c.id == job_id)
    ).one_or_none()
    if row is None or row.function:
        return [], None
    asked = connection.execute(
        select(requests.c.uid).where(
            and_(requests.c.job_id == job_id, requests.c.generation == row.generation)
        )
    ).scalars()
    return [workitem_uid(job_id, row.generation), *asked], row.created_at


def _as_it_was(row: Row[Any], past: Mapping[str, Any]) -> Any:
    """The job's row with what changes between generations replaced."""
    moments = {
        name: dt.datetime.fromisoformat(past[name]) if past[name] else None
        for name in ("started_at", "finished_at")
    }
    changed = {name: past[name] for name in ("state", "reason_key", "reason_values")}
    empty = dict.fromkeys(("seg_instance_uid", "sr_instance_uid", "step"), "")
    return SimpleNamespace(**{**row._mapping, **empty, **moments, **changed, "fraction": 0.0})
