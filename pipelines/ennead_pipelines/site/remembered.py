"""Selections as they were written down when a study settled: a test need not read its headers.

They hold as long as no image came since, and for the very manifest that they were made with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from ennead.contracts import SeriesRecord
from ennead.findings import Refusal, RefusalCode
from ennead.identifiers import SeriesUID
from ennead_pacs.index import SeriesQuery, search_series, series_record, series_sources
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.lanes import Lane
from ennead_pipelines.select import Candidate, Choice, ChosenInput, Reason, Selection
from ennead_pipelines.tables import job_refusals, jobs, series_choices, settlements

_OURS: Final = ("pipeline:", "review:")
_STATES: Final = ("chosen", "eligible", "refused")


@dataclass(frozen=True, slots=True)
class Remembered:
    """A settled study.

    Parameters
    ----------
    candidates : list of Candidate
        Every series but our own results, without headers.
    selections : dict
        Manifest digest → what was selected.
    """

    candidates: list[Candidate]
    selections: dict[str, Selection]


def remembered(connection: Connection, study_uid: str) -> Remembered | None:
    """What is known of a study; None when images came after it settled, or it never did."""
    settled = connection.execute(
        select(settlements.c.settled_at).where(settlements.c.study_uid == study_uid)
    ).scalar_one_or_none()
    if settled is None:
        return None
    sources = series_sources(connection, study_uid)
    candidates = []
    for row in search_series(connection, SeriesQuery({"StudyInstanceUID": study_uid})):
        if sources.get(row.series_uid, "").startswith(_OURS):
            continue
        if row.updated_at > settled:
            return None
        candidates.append(Candidate(series_record(row)))
    records = {str(each.record.series_uid): each.record for each in candidates}
    return Remembered(candidates, _selections(connection, study_uid, records))


def _selections(
    connection: Connection, study_uid: str, records: Mapping[str, SeriesRecord]
) -> dict[str, Selection]:
    rows = connection.execute(
        select(jobs)
        .where(
            jobs.c.study_uid == study_uid,
            jobs.c.function == "",
            jobs.c.state != JobState.SUPERSEDED,
        )
        .order_by(jobs.c.created_at, jobs.c.id)
    ).all()
    choices = _choices(connection, study_uid, records)
    refusals = _refusals(connection, [row.id for row in rows])
    found = {}
    for row in rows:
        mine = choices[row.package] if row.lane == Lane.ACTIVE else _from_inputs(row, records)
        found[row.manifest_digest] = _selection(row, mine, refusals[row.id])
    return found


def _selection(row: Row[Any], choices: Sequence[Choice], refusals: list[Refusal]) -> Selection:
    by_site = row.reason_key.startswith("rules.reason.")
    if row.state == JobState.REFUSED and not row.attempts and not by_site:
        return Selection(tuple(choices), {}, tuple(refusals))
    chosen = [choice for choice in choices if choice.state == "chosen"]
    declined = [
        refusal
        for choice in chosen
        for reason in choice.reasons
        for refusal in reason.refusals(choice.candidate.record.series_uid)
    ]
    inputs = {choice.input: ChosenInput(choice.candidate, None) for choice in chosen}
    return Selection(tuple(choices), inputs, tuple(declined))


def _choices(
    connection: Connection, study_uid: str, records: Mapping[str, SeriesRecord]
) -> dict[str, list[Choice]]:
    rows = connection.execute(
        select(series_choices).where(series_choices.c.study_uid == study_uid)
    ).all()
    found: dict[str, list[Choice]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r.input, _STATES.index(r.state), r.series_uid)):
        if row.series_uid in records:
            reasons = tuple(_reason(each) for each in row.reasons)
            candidate = Candidate(records[row.series_uid])
            found[row.package].append(Choice(row.input, candidate, row.state, reasons))
    return found


def _from_inputs(row: Row[Any], records: Mapping[str, SeriesRecord]) -> list[Choice]:
    """Of a model in shadow or pilot only the chosen series are written down."""
    return [
        Choice(name, Candidate(records[uid]), "chosen")
        for name, uid in row.inputs.items()
        if uid in records
    ]


def _reason(document: Mapping[str, Any]) -> Reason:
    return Reason(
        RefusalCode(document["code"]),
        document["text_key"],
        dict(document["values"]),
        tuple(document["outputs"]),
    )


def _refusals(connection: Connection, job_ids: Collection[str]) -> dict[str, list[Refusal]]:
    rows = connection.execute(
        select(job_refusals)
        .where(job_refusals.c.job_id.in_(job_ids), job_refusals.c.stage == "select")
        .order_by(job_refusals.c.id)
    )
    found: dict[str, list[Refusal]] = defaultdict(list)
    for row in rows:
        series_uid = SeriesUID(row.series_uid) if row.series_uid else None
        found[row.job_id].append(
            Refusal(
                RefusalCode(row.code), row.subject, row.text_key, dict(row.text_values), series_uid
            )
        )
    return found
