"""The audit chain, for those who may read it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.security import audit, heads
from ennead.security.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

Auditor = Annotated[Principal, Depends(require(Permission.AUDIT_READ))]


class AuditEntry(BaseModel):
    """One row."""

    id: int
    at: dt.datetime
    principal: str
    kind: str
    address: str
    action: str
    study_uid: str
    object_uid: str
    outcome: str
    purpose: str
    detail: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    """Rows, newest first; ``next_before`` asks for the page after this one."""

    total: int
    entries: list[AuditEntry]
    next_before: int | None


class AuditProblem(BaseModel):
    """A break of the chain."""

    id: int
    kind: str
    text: str


class AuditVerification(BaseModel):
    """Whether the chain is whole, and if not, where it breaks."""

    intact: bool
    rows: int
    head_id: int
    head_hash: str
    problems: list[AuditProblem]


@router.get("")
def read_audit(
    auditor: Auditor,
    database: DatabaseDependency,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    action: Annotated[str, Query(max_length=64)] = "",
    study_uid: Annotated[str, Query(max_length=64)] = "",
    principal: Annotated[str, Query(max_length=64)] = "",
) -> AuditPage:
    """A page of rows."""
    with database.read() as connection:
        rows = audit.page(
            connection,
            before=before,
            limit=limit,
            action=action,
            study_uid=study_uid,
            principal=principal,
        )
        total = audit.count(connection)
    return AuditPage(
        total=total,
        entries=[_entry(row) for row in rows],
        next_before=rows[-1].id if len(rows) == limit else None,
    )


@router.get("/verification")
def verify_audit(
    auditor: Auditor, settings: SettingsDependency, database: DatabaseDependency
) -> AuditVerification:
    """Walk the whole chain, and compare it with the heads written elsewhere."""
    with database.read() as connection:
        found = audit.verify(connection, heads.read(settings))
    return AuditVerification(
        intact=found.intact,
        rows=found.rows,
        head_id=found.head.id,
        head_hash=found.head.hash,
        problems=[AuditProblem(id=p.id, kind=p.kind, text=p.text) for p in found.problems],
    )


def _entry(row: audit.Entry) -> AuditEntry:
    try:
        detail = json.loads(row.detail)
    except ValueError:  # a tampered row is still shown
        detail = {"unreadable": row.detail}
    return AuditEntry(
        id=row.id,
        at=row.at,
        principal=row.principal,
        kind=row.kind,
        address=row.address,
        action=row.action,
        study_uid=row.study_uid,
        object_uid=row.object_uid,
        outcome=row.outcome,
        purpose=row.purpose,
        detail=detail if isinstance(detail, dict) else {"value": detail},
        hash=row.hash,
    )
