"""Two versions of a model over every study that both have computed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, select

from ennead.contracts import Archive
from ennead.database import Database, insert_ignore
from ennead.errors import NotFound
from ennead_models.records import installed_version
from ennead_models.validation.agreement import bland_altman
from ennead_models.validation.intervals import Estimate, mean, proportion
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.networks.compare import Result, compare
from ennead_pipelines.networks.labels import read_labels
from ennead_pipelines.networks.objects import job_object
from ennead_pipelines.tables import findings, job_differences, jobs

#: How long one question may compute what is not computed yet; the rest is ``pending``.
BUDGET_S: Final = 10.0
_ENDED: Final = (JobState.DONE, JobState.SUPERSEDED, JobState.REFUSED)

log = structlog.get_logger(__name__)

Pair = tuple[Row[Any], Row[Any]]


class Differences:
    """What one version found and the other did not, study by study."""

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive

    def read(
        self,
        model: str,
        before: str,
        after: str,
        *,
        study_uid: str = "",
        limit: int = 100,
        offset: int = 0,
        budget_s: float = BUDGET_S,
    ) -> dict[str, Any]:
        """The difference of two versions (docs/reference/model-facts-api.md); titles by language.

        Pairs of results are compared once and remembered; what does not fit into ``budget_s`` is
        counted as ``pending``: ask again.

        Raises
        ------
        NotFound
            A version is not installed.
        """
        with self._database.read() as connection:
            for version in (before, after):
                installed_version(connection, model, version)
            pairs = _pairs(connection, model, before, after, study_uid)
            done = _known(connection, pairs)
        until = time.monotonic() + budget_s
        for pair in pairs:
            key = (pair[0].id, pair[1].id)
            if key not in done and time.monotonic() < until:
                done[key] = self._compare(pair)
        ready = [(pair, done[key]) for pair in pairs if (key := (pair[0].id, pair[1].id)) in done]
        shown = ready[offset : offset + limit]
        return {
            "model": model,
            "from": before,
            "to": after,
            "studies_compared": len(ready),
            "pending": len(pairs) - len(ready),
            "summary": _summary([document for _, document in ready], pairs),
            "total": len(pairs),
            "studies": [
                {
                    "study_uid": one.study_uid,
                    "from_job": one.id,
                    "to_job": other.id,
                    "from_state": one.state,
                    "to_state": other.state,
                    "findings": document["findings"],
                }
                for (one, other), document in shown
            ],
        }

    def _compare(self, pair: Pair) -> dict[str, Any]:
        with self._database.read() as connection:
            first, second = (self._result(connection, job) for job in pair)
        document = {"findings": compare(first, second)}
        row = {
            "from_job": pair[0].id,
            "to_job": pair[1].id,
            "document": document,
            "created_at": now(),
        }
        with self._database.begin() as connection:
            insert_ignore(connection, job_differences, row)
        return document

    def _result(self, connection: Connection, job: Row[Any]) -> Result:
        rows = connection.execute(
            select(findings.c.id, findings.c.document)
            .where(findings.c.job_id == job.id)
            .order_by(findings.c.ordinal)
        ).all()
        listed = [(row.id, row.document) for row in rows]
        if not job.seg_instance_uid:
            return Result(listed)
        try:
            _, data = job_object(connection, self._archive, job, "seg")
        except NotFound:
            log.warning("a segmentation to compare is gone", job_id=job.id)
            return Result(listed)
        series_uid, frames = read_labels(data)
        return Result(listed, frames, series_uid)


def _pairs(
    connection: Connection, model: str, before: str, after: str, study_uid: str
) -> list[Pair]:
    """For each study the newest ended job of each version, newest study first."""
    query = (
        select(jobs)
        .where(
            jobs.c.package == model,
            jobs.c.version.in_((before, after)),
            jobs.c.function == "",
            jobs.c.state.in_(_ENDED),
        )
        .order_by(jobs.c.created_at, jobs.c.id)
    )
    if study_uid:
        query = query.where(jobs.c.study_uid == study_uid)
    newest: dict[str, dict[str, Row[Any]]] = {}
    for row in connection.execute(query):
        ended = row.sr_instance_uid or row.seg_instance_uid or row.state == JobState.REFUSED
        if ended:
            newest.setdefault(row.study_uid, {})[row.version] = row
    both = [v for v in newest.values() if before in v and after in v]
    both.sort(key=lambda v: (v[after].created_at, v[after].id), reverse=True)
    return [(v[before], v[after]) for v in both]


def _known(connection: Connection, pairs: Sequence[Pair]) -> dict[tuple[str, str], dict[str, Any]]:
    wanted = {(one.id, other.id) for one, other in pairs}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    firsts = sorted({one for one, _ in wanted})
    for k in range(0, len(firsts), 500):
        rows = connection.execute(
            select(job_differences).where(job_differences.c.from_job.in_(firsts[k : k + 500]))
        )
        for row in rows:
            if (row.from_job, row.to_job) in wanted:
                found[row.from_job, row.to_job] = row.document
    return found


def _summary(documents: Sequence[dict[str, Any]], pairs: Sequence[Pair]) -> dict[str, Any]:
    every = [finding for document in documents for finding in document["findings"]]
    count = {
        change: sum(finding["change"] == change for finding in every)
        for change in ("matched", "only_from", "only_to")
    }
    return {
        **count,
        "agreement": as_json(proportion(count["matched"], len(every))),
        "dice": as_json(mean([f["dice"] for f in every if f["dice"] is not None])),
        "values": list(_value_summaries(every)),
        "refused_from": sum(one.state == JobState.REFUSED for one, _ in pairs),
        "refused_to": sum(other.state == JobState.REFUSED for _, other in pairs),
    }


def _value_summaries(every: Sequence[dict[str, Any]]) -> Any:
    by_measurement: dict[str, list[dict[str, Any]]] = {}
    for finding in every:
        for value in finding["values"]:
            by_measurement.setdefault(value["measurement"], []).append(value)
    for name, values in sorted(by_measurement.items()):
        agreed = bland_altman([v["to"] for v in values], [v["from"] for v in values])
        yield {
            "measurement": name,
            "title": values[0]["title"],
            "unit": values[0]["unit"],
            "n": len(values),
            "bias": agreed.bias if agreed else values[0]["difference"],
            "sd": agreed.sd if agreed else None,
            "low": agreed.low if agreed else None,
            "high": agreed.high if agreed else None,
            "points": [{"from": v["from"], "to": v["to"]} for v in values],
        }


def as_json(estimate: Estimate) -> dict[str, float | int | None]:
    """An estimate as the API answers it."""
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
    }
