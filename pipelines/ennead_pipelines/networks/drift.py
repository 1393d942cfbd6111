"""Whether the images that a package gets, and what it makes of them, have changed."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row, select

from ennead_models.validation.intervals import proportion
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.lanes import Sight
from ennead_pipelines.networks.agreement import week_of
from ennead_pipelines.networks.difference import as_json
from ennead_pipelines.networks.psi import Value, stability
from ennead_pipelines.tables import findings, job_refusals, jobs

#: The first runs of a version here, and the latest, that are compared; fewer than ``NEEDED`` each
#: say nothing.
COMPARED: Final = 200
NEEDED: Final = 30
#: Latest runs shown over time.
SHOWN: Final = 1000

UNITS: Final[Mapping[str, str]] = {
    "kvp": "kV",
    "slice_thickness_mm": "mm",
    "field_strength_t": "T",
    "slices": "1",
    "spacing_z_mm": "mm",
    "spacing_y_mm": "mm",
    "spacing_x_mm": "mm",
    "age_years": "a",
}
_ORDER: Final = (
    *("modality", "manufacturer", "model", "station", "kernel", "sex", "age_years", "kvp"),
    *("field_strength_t", "slices", "slice_thickness_mm"),
    *("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"),
)
_ENDED: Final = (JobState.DONE, JobState.REFUSED, JobState.SUPERSEDED)

Series = list[tuple[dt.datetime, Value]]


def drift(connection: Connection, package: str, version: str, sight: Sight) -> dict[str, Any]:
    """Inputs, outputs and refusals of a version: its first runs here against the latest.

    Parameters
    ----------
    sight : Sight
        Runs in lanes that the asker does not see are left out.
    """
    ended = _ended(connection, package, version, sight)
    half = len(ended) // 2
    first, recent = ended[: min(COMPARED, half)], ended[max(half, len(ended) - COMPARED) :]
    enough = min(len(first), len(recent)) >= NEEDED
    shown = ended[-SHOWN:]
    inputs = _features(shown)
    outputs, titles = _outputs(connection, sorted({row.id for row in (*first, *shown)}))
    by_row = {row.id: row for row in ended}
    timed = {
        name: [(by_row[job].finished_at, value) for job, value in values if job in by_row]
        for name, values in outputs.items()
    }
    return {
        "enough": enough,
        "needed": NEEDED,
        "reference": _period(first),
        "recent": _period(recent),
        "inputs": [
            _feature(name, _pick(first, name), _pick(recent, name), inputs[name])
            | {"unit": UNITS.get(name, "")}
            for name in _ORDER
            if name in inputs
        ],
        "outputs": [
            _feature(name, _of(values, first), _of(values, recent), timed[name]) | titles[name]
            for name, values in sorted(outputs.items())
        ],
        "refusals": _refusals(connection, first, recent, shown),
    }


def _ended(connection: Connection, package: str, version: str, sight: Sight) -> list[Row[Any]]:
    """Runs that reached an answer, oldest first; those declined from headers have no features."""
    query = (
        select(jobs.c.id, jobs.c.state, jobs.c.finished_at, jobs.c.features, jobs.c.sr_instance_uid)
        .where(
            jobs.c.package == package,
            jobs.c.version == version,
            jobs.c.function == "",
            jobs.c.state.in_(_ENDED),
            jobs.c.finished_at.is_not(None),
            sight.where(jobs),
        )
        .order_by(jobs.c.finished_at, jobs.c.id)
    )
    rows: list[Any] = list(connection.execute(query))
    return [r for r in rows if r.state != JobState.SUPERSEDED or r.sr_instance_uid]


def _period(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    return {
        "n": len(rows),
        "from": rows[0].finished_at.date().isoformat() if rows else "",
        "to": rows[-1].finished_at.date().isoformat() if rows else "",
    }


def _features(rows: Sequence[Row[Any]]) -> dict[str, Series]:
    found: dict[str, Series] = defaultdict(list)
    for row in rows:
        for name, value in row.features.items():
            found[name].append((row.finished_at, value))
    return found


def _pick(rows: Sequence[Row[Any]], name: str) -> list[Value]:
    return [row.features.get(name) for row in rows]


def _of(values: Sequence[tuple[str, Value]], rows: Sequence[Row[Any]]) -> list[Value]:
    """All values of these runs; None for a run that gave none of this measurement."""
    by_job: dict[str, list[Value]] = defaultdict(list)
    for job, value in values:
        by_job[job].append(value)
    done = [row for row in rows if row.state != JobState.REFUSED]
    return [value for row in done for value in by_job.get(row.id, [None])]


def _outputs(
    connection: Connection, job_ids: Sequence[str]
) -> tuple[dict[str, list[tuple[str, Value]]], dict[str, dict[str, Any]]]:
    """Measured values by measurement, with their jobs; titles and units of each."""
    values: dict[str, list[tuple[str, Value]]] = defaultdict(list)
    titles: dict[str, dict[str, Any]] = {}
    for k in range(0, len(job_ids), 500):
        rows = connection.execute(
            select(findings.c.job_id, findings.c.document).where(
                findings.c.job_id.in_(job_ids[k : k + 500])
            )
        )
        for row in rows:
            for measured in row.document["measurements"]:
                values[measured["id"]].append((row.job_id, float(measured["value"])))
                titles[measured["id"]] = {
                    "title": dict(measured["title"]),
                    "unit": measured["unit"],
                }
    return values, titles


def _feature(
    name: str, reference: Sequence[Value], recent: Sequence[Value], timed: Series
) -> dict[str, Any]:
    found = stability(reference, recent)
    compared = min(len(reference), len(recent)) >= NEEDED
    return {
        "feature": name,
        "kind": found.kind if found else "category",
        "psi": found.psi if found else 0.0,
        "chance": found.chance if found else 0.0,
        "level": found.level if found and compared else "none",
        "bins": [
            {
                "label": each.label,
                "low": each.low,
                "high": each.high,
                "reference": each.reference,
                "recent": each.recent,
            }
            for each in (found.bins if found else ())
        ],
        "over_time": _over_time(timed),
    }


def _over_time(timed: Series) -> list[dict[str, Any]]:
    """By week: median and quarters of a number."""
    weeks: dict[str, list[float]] = defaultdict(list)
    for at, value in timed:
        if not isinstance(value, int | float):
            return []
        weeks[week_of(at)].append(float(value))
    found = []
    for week, values in sorted(weeks.items()):
        low, middle, high = np.percentile(values, [25, 50, 75])
        found.append(
            {
                "from": week,
                "n": len(values),
                "median": float(middle),
                "low": float(low),
                "high": float(high),
            }
        )
    return found


def _refusals(
    connection: Connection,
    first: Sequence[Row[Any]],
    recent: Sequence[Row[Any]],
    shown: Sequence[Row[Any]],
) -> dict[str, Any]:
    def rate(rows: Sequence[Row[Any]]) -> dict[str, Any]:
        return as_json(proportion(sum(r.state == JobState.REFUSED for r in rows), len(rows)))

    weeks: dict[str, list[bool]] = defaultdict(list)
    for row in shown:
        weeks[week_of(row.finished_at)].append(row.state == JobState.REFUSED)
    refused = [row.id for row in recent if row.state == JobState.REFUSED]
    codes: Counter[str] = Counter()
    rows = connection.execute(
        select(job_refusals.c.job_id, job_refusals.c.code)
        .where(job_refusals.c.job_id.in_(refused))
        .distinct()
    )
    codes.update(row.code for row in rows)
    return {
        "reference": rate(first),
        "recent": rate(recent),
        "over_time": [
            {"from": week, "n": len(said), "refused": sum(said)}
            for week, said in sorted(weeks.items())
        ],
        "by_code": [{"code": code, "count": count} for code, count in codes.most_common()],
    }
