"""Validating a model on labelled sets of this site."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, select

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.errors import NotFound
from ennead.security import Permission, Principal
from ennead_models.records import installed_version
from ennead_pipelines.api.common import moment
from ennead_pipelines.tables import validations

router = APIRouter(prefix="/api/v1", tags=["models in use"])

Scientist = Annotated[Principal, Depends(require(Permission.MODEL_MANAGE))]


class Validation(BaseModel):
    """Which labelled set."""

    model_config = ConfigDict(extra="forbid")

    set: str = Field(max_length=200)


@router.get("/validation-sets")
def list_sets(_: Scientist, settings: SettingsDependency) -> dict[str, Any]:
    """The labelled sets under ``models.validation_dir``."""
    from ennead_pipelines.networks.validate import sets_in

    return {"sets": sets_in(settings.models.validation_dir)}


@router.post("/models/{model_id}/{version}/validate", status_code=status.HTTP_202_ACCEPTED)
def ask_validation(
    model_id: str,
    version: str,
    body: Validation,
    principal: Scientist,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> dict[str, Any]:
    """Run the model on every case of a labelled set; a worker does it."""
    from ennead_pipelines.networks import validate as work

    work.set_folder(settings.models.validation_dir, body.set)
    with database.begin() as connection:
        model = installed_version(connection, model_id, version)
        number = work.ask_validation(connection, model, body.set, principal)
    with database.read() as connection:
        return item(work.validation_row(connection, model_id, version, number))


@router.get("/models/{model_id}/{version}/validations/{number}")
def read_validation(
    model_id: str, version: str, number: int, _: Scientist, database: DatabaseDependency
) -> dict[str, Any]:
    """How far a validation is."""
    from ennead_pipelines.networks import validate as work

    with database.read() as connection:
        return item(work.validation_row(connection, model_id, version, number))


@router.get("/models/{model_id}/validations/{digest}")
def read_report(model_id: str, digest: str, _: Scientist, database: DatabaseDependency) -> Response:
    """A report, as the bytes that its digest is of."""
    with database.read() as connection:
        report = connection.execute(
            select(validations.c.report)
            .where(validations.c.model == model_id, validations.c.report_digest == digest)
            .limit(1)
        ).scalar_one_or_none()
    if not report:
        raise NotFound(f"Model {model_id[:40]!r} has no validation report {digest[:80]!r}.")
    return Response(report, media_type="application/json")


def item(row: Row[Any]) -> dict[str, Any]:
    """A validation as the API answers it."""
    return {
        "id": row.id,
        "model": row.model,
        "version": row.version,
        "state": row.state,
        "set": row.set_name,
        "done": row.done,
        "cases": row.cases,
        "report": row.report_digest or None,
        "error": row.error or None,
        "by": row.requested_by,
        "started_at": moment(row.created_at),
        "finished_at": moment(row.finished_at),
    }


def latest_report(row: Row[Any]) -> dict[str, Any]:
    """The document of a finished validation."""
    document: dict[str, Any] = json.loads(row.report)
    return document
