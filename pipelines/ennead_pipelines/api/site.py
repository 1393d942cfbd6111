"""A package's thresholds and certificates; looking at a study again; a job's priority."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.errors import NotFound
from ennead.identifiers import StudyUID
from ennead.plugins import Manifest
from ennead.security import Permission, Principal
from ennead.texts import translate
from ennead_pipelines.api.common import ArchiveDependency, CatalogueDependency, moment
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.packages import PackageCatalogue, states
from ennead_pipelines.render import title
from ennead_pipelines.site.certificates import (
    NewCertificate,
    add_certificate,
    certificate_rows,
    cleared,
    judged,
    withdraw_certificate,
)
from ennead_pipelines.site.rerun import prioritise, rerun
from ennead_pipelines.site.rules import PriorityName
from ennead_pipelines.site.store import load_control
from ennead_pipelines.site.thresholds import set_thresholds, threshold_rows

router = APIRouter(prefix="/api/v1", tags=["rules"])

Viewer = Annotated[Principal, Depends(require(Permission.PACKAGE_READ))]
Manager = Annotated[Principal, Depends(require(Permission.PACKAGE_MANAGE))]
Operator = Annotated[Principal, Depends(require(Permission.JOB_MANAGE))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewThresholds(_Body):
    """Threshold id → value; null returns to the default, what is not named stays."""

    values: dict[str, Annotated[float, Field(allow_inf_nan=False)] | None]


class Withdrawal(_Body):
    """Why a certificate is withdrawn."""

    reason: str = Field(max_length=2000)


class RerunRequest(_Body):
    """Which package (all when left out), and why."""

    package: str = ""
    reason: str = Field(max_length=500)


class NewPriority(_Body):
    """A waiting job's new priority."""

    priority: PriorityName


@router.get("/packages/{package_id}/thresholds")
def read_thresholds(
    package_id: str,
    _: Viewer,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Every threshold with default, bounds and the site's value."""
    manifest = _manifest(catalogue, package_id)
    with database.read() as connection:
        rows = threshold_rows(connection, package_id)
    return {
        "package": package_id,
        "version": manifest.version,
        "thresholds": [
            _threshold(rule, rows.get(rule.id), language) for rule in manifest.threshold
        ],
    }


@router.put("/packages/{package_id}/thresholds")
def write_thresholds(
    package_id: str,
    body: NewThresholds,
    principal: Manager,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Set or reset thresholds inside their bounds, for studies that settle from now on."""
    manifest = _manifest(catalogue, package_id)
    with database.begin() as connection:
        set_thresholds(connection, manifest, body.values, principal)
    return read_thresholds(package_id, principal, database, language, catalogue)


@router.get("/packages/{package_id}/certificates")
def read_certificates(
    package_id: str,
    _: Viewer,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """What the site has on file from authorities, with what it is worth today."""
    version = _manifest(catalogue, package_id).version
    today = dt.datetime.now(settings.portal.zone).date()
    with database.read() as connection:
        rows = certificate_rows(connection, package_id)[package_id]
    found = judged(rows, version, today)
    return {
        "package": package_id,
        "version": version,
        "cleared_here": cleared(found),
        "certificates": [each.as_json(language) for each in found],
    }


@router.post("/packages/{package_id}/certificates", status_code=201)
def enter_certificate(
    package_id: str,
    body: NewCertificate,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Put a certificate on file."""
    _manifest(catalogue, package_id)
    with database.begin() as connection:
        add_certificate(connection, package_id, body, principal)
    return read_certificates(package_id, principal, database, settings, language, catalogue)


@router.post("/packages/{package_id}/certificates/{number}/withdraw")
def withdraw(
    package_id: str,
    number: int,
    body: Withdrawal,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Take a certificate out of force; it stays on file."""
    with database.begin() as connection:
        withdraw_certificate(connection, package_id, number, body.reason, principal)
    return read_certificates(package_id, principal, database, settings, language, catalogue)


@router.post("/studies/{study_uid}/rerun")
def run_again(
    study_uid: str,
    body: RerunRequest,
    principal: Operator,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
    archive: ArchiveDependency,
) -> dict[str, Any]:
    """Look at a study again with the rules in force; the same identity stores nothing new."""
    with database.read() as connection:
        control = load_control(connection, settings.portal.zone)
        known = states(connection, catalogue.all())
    done = rerun(
        database,
        archive,
        StudyUID(study_uid),
        known,
        control,
        principal,
        body.reason,
        body.package,
        Giver.of(archive, settings),
    )
    return {
        "study_uid": study_uid,
        "packages": [
            {
                "package": each.package,
                "outcome": each.outcome,
                "job": each.job or None,
                "state": each.state or None,
                "text": translate(f"rules.rerun.{each.outcome}", language),
            }
            for each in done
        ],
    }


@router.post("/jobs/{job_id}/priority")
def change_priority(
    job_id: str, body: NewPriority, principal: Operator, database: DatabaseDependency
) -> dict[str, Any]:
    """Move a waiting job in the queue."""
    with database.begin() as connection:
        prioritise(connection, job_id, body.priority, principal)
    return {"id": job_id, "priority": body.priority}


def _manifest(catalogue: PackageCatalogue, package_id: str) -> Manifest:
    package = catalogue.get(package_id)
    if package is None or package.manifest is None:
        known = ", ".join(p.id for p in catalogue.all() if p.manifest) or "none"
        raise NotFound(
            f"No package {package_id[:40]!r} with a manifest is installed here; installed are: "
            f"{known}."
        )
    return package.manifest


def _threshold(rule: Any, row: Any, language: str) -> dict[str, Any]:
    low, high = rule.site_bounds
    value = float(row.value) if row else rule.default
    return {
        "id": rule.id,
        "title": title(rule.title, language, rule.id),
        "default": rule.default,
        "bounds": [low, high],
        "value": value,
        "site_value": value if row else None,
        "inside": low <= value <= high,
        "changed_at": moment(row.changed_at) if row else None,
        "changed_by": row.changed_by if row else "",
    }
