"""The worklist and the head of a study's page."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from sqlalchemy import Connection, Row, and_, case, func, or_, select

from ennead.app.dependencies import DatabaseDependency
from ennead.errors import InputError
from ennead.security import Principal
from ennead_pacs.index import StudyQuery, list_series, studies, study_conditions
from ennead_pipelines.api.common import Reader, moment, require_study
from ennead_pipelines.lanes import Lane, Sight, sight_of
from ennead_pipelines.tables import findings, jobs, study_states

router = APIRouter(prefix="/api/v1/studies", tags=["studies"])

AI_STATES: Final = ("none", "waiting", "running", "ready", "reviewed", "refused", "failed")


@router.get("")
def list_studies(
    principal: Reader,
    database: DatabaseDependency,
    search: str = "",
    modality: str = "",
    date_from: str = "",
    date_to: str = "",
    ai: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Studies that match, urgent ones first, then the newest."""
    filters = {"ModalitiesInStudy": modality, "StudyDate": _dates(date_from, date_to)}
    query = StudyQuery({k: v for k, v in filters.items() if v}, text=search)
    with database.read() as connection:
        where = and_(study_conditions(query, connection.dialect.name), _ai_condition(ai))
        joined = studies.outerjoin(study_states, study_states.c.study_uid == studies.c.study_uid)
        total = connection.execute(
            select(func.count()).select_from(joined).where(where)
        ).scalar_one()
        urgent = case((study_states.c.urgent.is_(True), 0), else_=1)
        rows = connection.execute(
            select(*_columns())
            .select_from(joined)
            .where(where)
            .order_by(
                urgent,
                studies.c.study_date.desc(),
                studies.c.study_time.desc(),
                studies.c.id.desc(),
            )
            .limit(limit)
            .offset(offset)
        ).all()
        held = _held(connection, principal, [row.study_uid for row in rows])
    return {"total": total, "studies": [_item(row, held.get(row.study_uid)) for row in rows]}


@router.get("/{study_uid}")
def read_study(study_uid: str, principal: Reader, database: DatabaseDependency) -> dict[str, Any]:
    """One study with its series; results of packages say whose they are."""
    with database.read() as connection:
        require_study(connection, study_uid)
        joined = studies.outerjoin(study_states, study_states.c.study_uid == studies.c.study_uid)
        row = connection.execute(
            select(*_columns()).select_from(joined).where(studies.c.study_uid == study_uid)
        ).one()
        held = _held(connection, principal, [study_uid])
        owners = _owners(connection, study_uid)
        series = list_series(connection, study_uid)
    return _item(row, held.get(study_uid)) | {
        "series": [
            {
                "series_uid": each.series_uid,
                "modality": each.modality,
                "number": each.number,
                "description": each.description,
                "instance_count": each.instance_count,
                "package": owners.get(each.series_uid),
                "thumbnail": (f"/dicom-web/studies/{study_uid}/series/{each.series_uid}/thumbnail"),
            }
            for each in series
        ]
    }


def _columns() -> list[Any]:
    return [
        studies,
        study_states.c.state.label("ai_state"),
        study_states.c.urgent,
        study_states.c.findings,
        study_states.c.accepted,
        study_states.c.rejected,
    ]


def _held(
    connection: Connection, principal: Principal, study_uids: list[str]
) -> dict[str, dict[str, int]]:
    """Findings by study and lane that the asker sees and that do not count for others."""
    sight = sight_of(connection, principal)
    if sight == Sight():
        return {}
    query = (
        select(findings.c.study_uid, findings.c.lane, func.count().label("number"))
        .where(
            findings.c.study_uid.in_(study_uids),
            findings.c.lane != Lane.ACTIVE,
            findings.c.hidden.is_(False),
            sight.where(findings),
        )
        .group_by(findings.c.study_uid, findings.c.lane)
    )
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.study_uid, {})[row.lane] = row.number
    return found


def _item(row: Row[Any], held: dict[str, int] | None) -> dict[str, Any]:
    """A study; ``ai.held`` counts what the asker sees beside the active lane, when there is any."""
    return {
        "study_uid": row.study_uid,
        "patient_name": row.patient_name,
        "patient_id": row.patient_id,
        "patient_sex": row.patient_sex,
        "patient_birth_date": row.patient_birth_date,
        "study_date": row.study_date,
        "study_time": row.study_time,
        "description": row.description,
        "modalities": [m for m in row.modalities.split("\\") if m],
        "accession_number": row.accession_number,
        "series_count": row.series_count,
        "instance_count": row.instance_count,
        "received_at": moment(row.received_at),
        "ai": {
            "state": row.ai_state or "none",
            "urgent": bool(row.urgent),
            "findings": row.findings or 0,
            "accepted": row.accepted or 0,
            "rejected": row.rejected or 0,
            **({"held": held} if held else {}),
        },
    }


def _owners(connection: Connection, study_uid: str) -> dict[str, str]:
    rows = connection.execute(
        select(jobs.c.package, jobs.c.seg_series_uid, jobs.c.sr_series_uid).where(
            jobs.c.study_uid == study_uid
        )
    )
    return {uid: row.package for row in rows for uid in (row[1], row[2]) if uid}


def _ai_condition(ai: str) -> Any:
    wanted = [state for state in ai.split(",") if state]
    unknown = sorted(set(wanted) - set(AI_STATES))
    if unknown:
        raise InputError(f"ai must be among {', '.join(AI_STATES)}; got {', '.join(unknown)}.")
    if not wanted:
        return True
    known = study_states.c.state.in_(wanted)
    return or_(known, study_states.c.state.is_(None)) if "none" in wanted else known


def _dates(first: str, last: str) -> str:
    """``2024-01-31`` or ``20240131`` → a DICOM range (PS3.4 §C.2.2.2.5)."""
    values = [value.replace("-", "") for value in (first, last)]
    for name, value in zip(("date_from", "date_to"), values, strict=True):
        if value and not (len(value) == 8 and value.isdigit()):
            raise InputError(f"{name} must be a date like 2024-01-31; got {value[:20]!r}.")
    return "-".join(values) if any(values) else ""
