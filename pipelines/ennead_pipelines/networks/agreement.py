"""How readers judge a package or model: accept, edit, reject, and by how much they differ."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from ennead_models.folders import version_key
from ennead_models.validation.agreement import bland_altman
from ennead_models.validation.intervals import proportion
from ennead_pipelines.jobs.states import FindingState
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.difference import as_json
from ennead_pipelines.tables import decisions, findings

#: Newest decisions looked at.
MOST: Final = 20_000
_STATES: Final = (FindingState.ACCEPTED, FindingState.EDITED, FindingState.REJECTED)


def agreement(connection: Connection, package: str) -> dict[str, Any]:
    """Agreement of all versions (docs/reference/model-facts-api.md); titles by language.

    The last decision on each finding counts. Superseded results count as well: what a reader said
    of them stays true of the version that made them.
    """
    last = _last_decisions(connection, package)
    waiting = connection.execute(
        select(func.count())
        .select_from(findings)
        .where(
            findings.c.package == package,
            findings.c.lane == Lane.ACTIVE,
            findings.c.hidden.is_(False),
            findings.c.state == FindingState.PROPOSED,
        )
    ).scalar_one()
    total = _counts(last)
    return {
        **total,
        "waiting": waiting,
        "rates": {state: as_json(proportion(total[state], total["decided"])) for state in _STATES},
        "reasons": _reasons(last),
        "by_version": sorted(
            _grouped(last, lambda row: row.version, "version"),
            key=lambda group: version_key(group["version"]),
            reverse=True,
        ),
        "by_finding": [
            {"title": dict(row.document["title"])} | group
            for group in _grouped(last, lambda row: row.document["label"], "label")
            for row in [next(r for r in last if r.document["label"] == group["label"])]
        ],
        "over_time": [
            group | {"to": (dt.date.fromisoformat(group["from"]) + dt.timedelta(6)).isoformat()}
            for group in _grouped(last, lambda row: week_of(row.at), "from")
        ],
        "values": list(_values(last)),
    }


def week_of(at: dt.datetime) -> str:
    """The Monday of a moment's ISO week, as a date."""
    day = at.astimezone(dt.UTC).date()
    return (day - dt.timedelta(days=day.weekday())).isoformat()


def _last_decisions(connection: Connection, package: str) -> list[Row[Any]]:
    newest = (
        select(func.max(decisions.c.id).label("id"))
        .select_from(decisions.join(findings, decisions.c.finding_id == findings.c.id))
        .where(findings.c.package == package)
        .group_by(decisions.c.finding_id)
        .order_by(func.max(decisions.c.id).desc())
        .limit(MOST)
        .subquery()
    )
    query = (
        select(decisions, findings.c.version, findings.c.document)
        .select_from(
            decisions.join(newest, decisions.c.id == newest.c.id).join(
                findings, decisions.c.finding_id == findings.c.id
            )
        )
        .order_by(decisions.c.id)
    )
    return list(connection.execute(query).all())


def _counts(rows: Sequence[Row[Any]]) -> dict[str, int]:
    states = Counter(row.state for row in rows)
    return {"decided": len(rows)} | {str(state): states[state] for state in _STATES}


def _grouped(
    rows: Sequence[Row[Any]], key: Callable[[Row[Any]], str], name: str
) -> list[dict[str, Any]]:
    groups: dict[str, list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [{name: group, **_counts(inside)} for group, inside in sorted(groups.items())]


def _reasons(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    said = Counter(row.reason for row in rows if row.state == FindingState.REJECTED)
    return [{"reason": reason, "count": count} for reason, count in said.most_common()]


def _values(rows: Sequence[Row[Any]]) -> Iterable[dict[str, Any]]:
    """AI against reader, for findings that were edited; two pairs at least."""
    pairs: dict[str, list[tuple[Mapping[str, Any], float]]] = {}
    for row in rows:
        if row.state != FindingState.EDITED:
            continue
        edited: Mapping[str, float] = row._mapping["values"]
        for measured in row.document["measurements"]:
            if measured["id"] in edited:
                pair = (measured, float(edited[measured["id"]]))
                pairs.setdefault(measured["id"], []).append(pair)
    for name, found in sorted(pairs.items()):
        ai, reader = [m["value"] for m, _ in found], [value for _, value in found]
        agreed = bland_altman(ai, reader)
        if agreed is None:
            continue
        newest = found[-1][0]
        yield {
            "measurement": name,
            "title": dict(newest["title"]),
            "unit": newest["unit"],
            "n": agreed.n,
            "bias": agreed.bias,
            "sd": agreed.sd,
            "low": agreed.low,
            "high": agreed.high,
            "points": [{"ai": a, "reader": r} for a, r in zip(ai, reader, strict=True)],
        }
