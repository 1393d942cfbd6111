"""Models in use: re-runs over studies of the past, differences of versions, held results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, select

from ennead.app.dependencies import DatabaseDependency, LanguageDependency, require
from ennead.errors import Conflict, InputError, NotFound
from ennead.security import Permission, Principal
from ennead_models.records import installed_version
from ennead_pipelines.api.common import ArchiveDependency, CatalogueDependency, Reader, moment
from ennead_pipelines.lanes import Lane, sight_of
from ennead_pipelines.networks import reruns as past
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.networks.difference import Differences
from ennead_pipelines.networks.objects import job_object
from ennead_pipelines.render import title
from ennead_pipelines.tables import jobs, reruns

router = APIRouter(prefix="/api/v1", tags=["models in use"])

Scientist = Annotated[Principal, Depends(require(Permission.MODEL_MANAGE))]
_DATE: Final = r"^(\d{4}-\d{2}-\d{2})?$"


class RerunFilter(BaseModel):
    """Studies by modality and date, newest first."""

    model_config = ConfigDict(extra="forbid")

    modality: str = Field("", max_length=16)
    date_from: str = Field("", pattern=_DATE)
    date_to: str = Field("", pattern=_DATE)
    limit: int = Field(200, ge=1, le=past.MOST_STUDIES)


class Rerun(BaseModel):
    """Which studies a version is to compute; the lane is the shadow."""

    model_config = ConfigDict(extra="forbid")

    studies: list[str] = Field(default_factory=list, max_length=past.MOST_STUDIES)
    filter: RerunFilter | None = None
    lane: Literal["shadow"] = "shadow"


@router.post("/models/{model_id}/{version}/rerun", status_code=status.HTTP_202_ACCEPTED)
def ask_rerun(
    model_id: str, version: str, body: Rerun, principal: Scientist, database: DatabaseDependency
) -> dict[str, Any]:
    """Compute studies of the past with this version, in the shadow, while nothing else waits."""
    chosen = None
    if body.filter:
        chosen = past.StudyFilter(
            body.filter.modality,
            body.filter.date_from.replace("-", ""),
            body.filter.date_to.replace("-", ""),
            body.filter.limit,
        )
    with database.begin() as connection:
        number = past.ask(
            connection, model_id, version, principal, study_uids=body.studies, chosen=chosen
        )
    with database.read() as connection:
        return _rerun(connection, past.rerun_row(connection, model_id, version, number))


@router.get("/models/{model_id}/{version}/reruns")
def list_reruns(
    model_id: str, version: str, _: Scientist, database: DatabaseDependency
) -> dict[str, Any]:
    """Every re-run of this version, newest first."""
    with database.read() as connection:
        installed_version(connection, model_id, version)
        rows = connection.execute(
            select(reruns)
            .where(reruns.c.model == model_id, reruns.c.version == version)
            .order_by(reruns.c.id.desc())
        ).all()
        return {"reruns": [_rerun(connection, row) for row in rows]}


@router.get("/models/{model_id}/{version}/reruns/{number}")
def read_rerun(
    model_id: str, version: str, number: int, _: Scientist, database: DatabaseDependency
) -> dict[str, Any]:
    """Where a re-run stands."""
    with database.read() as connection:
        return _rerun(connection, past.rerun_row(connection, model_id, version, number))


@router.post("/models/{model_id}/{version}/reruns/{number}/cancel")
def cancel_rerun(
    model_id: str, version: str, number: int, principal: Scientist, database: DatabaseDependency
) -> dict[str, Any]:
    """Take back what still waits."""
    with database.begin() as connection:
        row = past.rerun_row(connection, model_id, version, number)
        past.cancel_rerun(connection, row, principal)
    with database.read() as connection:
        return _rerun(connection, past.rerun_row(connection, model_id, version, number))


@router.get("/models/{model_id}/difference")
def difference(
    model_id: str,
    _: Scientist,
    database: DatabaseDependency,
    archive: ArchiveDependency,
    language: LanguageDependency,
    before: Annotated[str, Query(alias="from", max_length=32)],
    after: Annotated[str, Query(alias="to", max_length=32)],
    study: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Every study that two versions have computed, finding by finding."""
    if before == after:
        raise InputError(f"Two versions are compared; both are {before}.")
    found = Differences(database, archive).read(
        model_id, before, after, study_uid=study, limit=limit, offset=offset
    )
    titled: dict[str, Any] = _titled(found, language)
    return titled


@router.post("/jobs/{job_id}/release")
def release_job(
    job_id: str,
    principal: Scientist,
    database: DatabaseDependency,
    archive: ArchiveDependency,
    catalogue: CatalogueDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Store a held result in the archive, where everybody sees it."""
    from ennead_pipelines.held import release

    with database.read() as connection:
        job = _job(connection, job_id, principal)
    package = catalogue.get(job.package, job.manifest_digest)
    if isinstance(package, ModelPackage) and package.lane not in (Lane.ACTIVE, Lane.PILOT):
        raise Conflict(
            f"{job.package} {job.version} is {package.state}; its results are released when it is "
            "a pilot or active. Promote it first."
        )
    release(database, archive, job_id, principal)
    with database.read() as connection:
        row = _job(connection, job_id, principal)
    return {
        "id": row.id,
        "study_uid": row.study_uid,
        "package": row.package,
        "title": title(row.title, language, row.package),
        "version": row.version,
        "state": row.state,
        "lane": row.lane,
    }


@router.get("/jobs/{job_id}/objects/{kind}")
def read_object(
    job_id: str,
    kind: Literal["seg", "sr"],
    principal: Reader,
    database: DatabaseDependency,
    archive: ArchiveDependency,
) -> Response:
    """The segmentation or the report that the job wrote, held or archived, as a Part 10 file."""
    with database.read() as connection:
        job = _job(connection, job_id, principal)
        uid, data = job_object(connection, archive, job, kind)
    return Response(
        data,
        media_type="application/dicom",
        headers={
            "Content-Disposition": f'attachment; filename="{uid}.dcm"',
            "Cache-Control": "private, no-store",
        },
    )


def _job(connection: Connection, job_id: str, principal: Principal) -> Row[Any]:
    row = connection.execute(
        select(jobs).where(jobs.c.id == job_id, sight_of(connection, principal).where(jobs))
    ).one_or_none()
    if row is None:
        raise NotFound(f"No job has the id {job_id[:40]!r}.")
    return row


def _rerun(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    found = past.progress(connection, row)
    return {
        "id": row.id,
        "model": row.model,
        "version": row.version,
        "lane": row.lane,
        "criteria": row.criteria,
        "by": row.requested_by,
        "at": moment(row.created_at),
        **found,
        "finished_at": moment(found["finished_at"]),
    }


def _titled(value: Any, language: str) -> Any:
    """Titles by language → the one of the request, wherever they are."""
    if isinstance(value, Mapping):
        return {
            key: title(each, language) if key == "title" else _titled(each, language)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_titled(each, language) for each in value]
    return value
