"""A finding's row → what the API answers, in the request's language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.texts import translate
from ennead_pipelines.api.common import moment
from ennead_pipelines.jobs.states import FindingState
from ennead_pipelines.render import number, title
from ennead_pipelines.tables import decisions, findings, jobs


def finding_rows(connection: Connection, *where: Any) -> list[Row[Any]]:
    """Findings with their job's current report, in the package's order."""
    return list(
        connection.execute(
            select(findings, jobs.c.current_sr_uid, jobs.c.sr_instance_uid)
            .select_from(findings.join(jobs, findings.c.job_id == jobs.c.id))
            .where(*where)
            .order_by(findings.c.package, findings.c.ordinal)
        ).all()
    )


def last_decisions(connection: Connection, finding_ids: list[str]) -> dict[str, Row[Any]]:
    """The newest decision on each finding."""
    query = select(decisions).where(decisions.c.finding_id.in_(finding_ids))
    return {row.finding_id: row for row in connection.execute(query.order_by(decisions.c.id))}


def finding_item(
    row: Row[Any], decision: Row[Any] | None, language: str, folder: Path | None
) -> dict[str, Any]:
    """One finding with values as they stand after review."""
    document = row.document
    edited: Mapping[str, float] = {}
    if decision is not None and decision.state == FindingState.EDITED:
        edited = decision._mapping["values"]  # ``values`` is also a method of a row
    return {
        "id": row.id,
        "package": row.package,
        "version": row.version,
        "lane": row.lane,
        "label": document["label"],
        "title": title(document["title"], language, document["label"]),
        "state": row.state,
        "unverified": row.state == FindingState.PROPOSED,
        "urgent": row.urgent,
        "revision": row.revision,
        "series_uid": document["series_uid"],
        "key_image": document["key_image"],
        "segments": [
            each | {"title": title(each["title"], language)} for each in document["segments"]
        ],
        "measurements": [_measurement(m, edited, language) for m in document["measurements"]],
        "qualifiers": [_qualifier(q, language, folder) for q in document["qualifiers"]],
        "decision": _decision(decision),
        "tracking_uid": row.tracking_uid,
        "sr_instance_uid": row.current_sr_uid,
    }


def _measurement(
    stored: Mapping[str, Any], edited: Mapping[str, float], language: str
) -> dict[str, Any]:
    value = float(edited.get(stored["id"], stored["value"]))
    plausible = stored["plausible"]
    outside = bool(plausible) and not plausible[0] <= value <= plausible[1]
    return {
        "id": stored["id"],
        "title": title(stored["title"], language),
        "value": value,
        "shown": number(value, stored["decimals"], language),
        "unit": stored["unit"],
        "method": stored["method"],
        "formula": stored["formula"],
        "reference": stored["reference"],
        "plausible": plausible,
        "outside_plausible": outside,
        "ai_value": stored["value"] if stored["id"] in edited else None,
    }


def _qualifier(code: Mapping[str, str], language: str, folder: Path | None) -> dict[str, str]:
    for key in (f"qualifier.{code['code']}", f"jobs.qualifier.{code['code']}"):
        text = translate(key, language, package_folder=folder)
        if text != key:
            return {"code": code["code"], "text": text}
    return {"code": code["code"], "text": code["meaning"]}


def _decision(row: Row[Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "state": row.state,
        "by": row.reader_name,
        "at": moment(row.at),
        "reason": row.reason,
        "comment": row.comment,
    }
