"""What would happen to stored studies, and what that changes: nothing runs, nothing is written.

Reads the index and what was written down when a study settled; headers only where a package has
not looked at a study yet, images came since, or a rule asks for what only they say. What only
pixels can tell (a refusal during a run) stays open.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import NotFound
from ennead.identifiers import StudyUID
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.site.cohort import Cohort, choose
from ennead_pipelines.site.decide import SiteControl
from ennead_pipelines.site.plan import PackagePlan, plan_remembered, plan_study
from ennead_pipelines.site.propose import Proposal
from ennead_pipelines.tables import jobs


@dataclass(frozen=True, slots=True)
class Happened:
    """The job that a package has for the study now."""

    job: str
    state: str
    outcome: str
    version: str
    rule: str
    priority: int
    lane: str
    thresholds: Mapping[str, float]
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what happened and what would: ``before`` None means nothing did."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ReplayedPackage:
    """One package on one study."""

    planned: PackagePlan
    happened: Happened | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ReplayedStudy:
    """One study; ``row`` is that of the index, ``at`` when the decision would be taken."""

    row: Row[Any]
    at: dt.datetime
    packages: tuple[ReplayedPackage, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The whole test; ``missing`` are named studies that are not here."""

    control: SiteControl
    studies: tuple[ReplayedStudy, ...]
    missing: tuple[str, ...]
    elapsed_s: float


def replay(
    database: Database,
    archive: Archive,
    proposal: Proposal,
    wanted: Cohort,
    at: dt.datetime | None = None,
) -> Replay:
    """Put stored studies before packages and rules.

    Parameters
    ----------
    at : datetime or None
        Aware: when every study shall count as complete; None takes the time it was.
    """
    begun = time.perf_counter()
    with database.read() as connection:
        rows = choose(connection, wanted)
        known = _jobs_of(connection, [row.study_uid for row in rows])
    found = []
    for row in rows:
        when = at or row.settled_at or row.updated_at
        try:
            plans = _plans(database, archive, row.study_uid, proposal, when)
        except NotFound:
            continue  # deleted meanwhile
        if plans is None:
            continue  # nothing but our own results
        compared = tuple(_compare(planned, known[row.study_uid]) for planned in plans)
        found.append(ReplayedStudy(row, when, compared))
    there = {row.study_uid for row in rows}
    missing = tuple(uid for uid in wanted.studies if uid not in there)
    return Replay(proposal.control, tuple(found), missing, time.perf_counter() - begun)


def _plans(
    database: Database,
    archive: Archive,
    study_uid: StudyUID,
    proposal: Proposal,
    at: dt.datetime,
) -> list[PackagePlan] | None:
    packages, control, only = proposal.packages, proposal.control, proposal.only
    with database.read() as connection:
        known = plan_remembered(connection, study_uid, packages, control, at, only=only)
    if known is not None:
        return known
    return plan_study(database, archive, study_uid, packages, control, at, only=only)


def _jobs_of(connection: Connection, study_uids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    query = select(jobs).where(
        jobs.c.study_uid.in_(study_uids),
        jobs.c.function == "",
        jobs.c.state != JobState.SUPERSEDED,
    )
    for row in connection.execute(query.order_by(jobs.c.created_at.desc(), jobs.c.id)):
        found[row.study_uid].append(row)
    return found


def _compare(planned: PackagePlan, rows: Sequence[Row[Any]]) -> ReplayedPackage:
    """Beside the newest job of the same manifest, else of the same package."""
    mine = [row for row in rows if row.package == planned.manifest.id]
    same = [row for row in mine if row.manifest_digest == planned.package.digest]
    row = next(iter(same or mine), None)
    if row is None:
        change = Change("outcome", None, planned.outcome)
        return ReplayedPackage(planned, None, (change,))
    happened = Happened(
        job=row.id,
        state=row.state,
        outcome=_outcome(row),
        version=row.version,
        rule=row.rule,
        priority=row.priority,
        lane=row.lane,
        thresholds={name: float(value) for name, value in row.thresholds.items()},
        inputs=dict(row.inputs),
    )
    return ReplayedPackage(planned, happened, tuple(_changes(planned, happened)))


def _outcome(row: Row[Any]) -> str:
    if row.state != JobState.REFUSED or row.attempts:
        return "run"
    return "skipped" if row.reason_key.startswith("rules.reason.") else "refused"


def _changes(planned: PackagePlan, happened: Happened) -> list[Change]:
    if planned.outcome != happened.outcome:
        return [Change("outcome", happened.outcome, planned.outcome)]
    if planned.outcome != "run":
        return []
    decision = planned.decision
    chosen = {n: str(c.candidate.record.series_uid) for n, c in planned.selection.inputs.items()}
    pairs = (
        ("version", happened.version, planned.manifest.version),
        ("priority", happened.priority, decision.priority),
        ("lane", happened.lane, str(decision.lane)),
        ("thresholds", happened.thresholds, dict(decision.thresholds)),
        ("inputs", happened.inputs, chosen),
    )
    return [Change(what, before, after) for what, before, after in pairs if before != after]
