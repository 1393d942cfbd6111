"""Models: which are here, in which state, and moving them on or back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.errors import LicenceNotAccepted, NotFound
from ennead.security import Permission, Principal
from ennead.settings import Settings
from ennead_models.api.documents import event_document, version_document
from ennead_models.folders import DiscoveredModel, discover_models, version_key
from ennead_models.install import licence_text, weights_store
from ennead_models.lifecycle import ModelState
from ennead_models.records import InstalledModel, Pilot, events_of, installed
from ennead_models.registry import move, rollback
from ennead_models.runners.open import code_in
from ennead_models.wizard.apart import run_apart

router = APIRouter(prefix="/api/v1/models", tags=["models"])

Viewer = Annotated[Principal, Depends(require(Permission.PACKAGE_READ))]
Scientist = Annotated[Principal, Depends(require(Permission.MODEL_MANAGE))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Agreement(_Body):
    """What a person agrees to before a model is installed."""

    licence_accepted: bool
    code_accepted: bool = False


class PilotBody(_Body):
    """For whom and from where a pilot runs."""

    readers: list[str] = Field(default_factory=list, max_length=200)
    sources: list[str] = Field(default_factory=list, max_length=200)


class Move(_Body):
    """Where a version goes, and why."""

    to: ModelState
    reason: str = Field("", max_length=2000)
    report: str = Field("", max_length=200)
    pilot: PilotBody | None = None


class Reason(_Body):
    """Why."""

    reason: str = Field("", max_length=2000)


@router.get("")
def list_models(
    principal: Viewer,
    settings: SettingsDependency,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Every model that the asker may see, with its versions; for scientists broken ones too."""
    with database.read() as connection:
        rows = installed(connection)
    found = discover_models(settings) if _manages(principal) else []
    names = sorted({m.id for m in found} | {r.model for r in rows if _sees(principal, r)})
    return {"models": [_item(name, found, rows, principal, settings, language) for name in names]}


@router.get("/{model_id}")
def read_model(
    model_id: str,
    principal: Viewer,
    settings: SettingsDependency,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """One model; for scientists with each licence's text and the code that a bundle holds."""
    with database.read() as connection:
        rows = installed(connection, model_id)
    every = discover_models(settings) if _manages(principal) else []
    found = [m for m in every if m.id == model_id]
    if not found and not any(_sees(principal, row) for row in rows):
        raise NotFound(f"No model has the id {model_id[:40]!r}.")
    item = _item(model_id, found, rows, principal, settings, language)
    for version in item["versions"]:
        model = next((m for m in found if m.version == version["version"]), None)
        if model and model.usable:
            version["licence_text"] = licence_text(model)
            version["code"] = _code(settings, model)
    return item


@router.post("/{model_id}/{version}/install")
async def install_model(
    model_id: str,
    version: str,
    body: Agreement,
    principal: Scientist,
    settings: SettingsDependency,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Check licence, weights, code and reference case, and register the version."""
    require_licence(body, f"{model_id} {version}")
    job = {
        "action": "install",
        "model": model_id,
        "version": version,
        "principal": principal_document(principal),
        **body.model_dump(),
    }
    await run_in_threadpool(run_apart, settings, job)
    return await run_in_threadpool(read_model, model_id, principal, settings, database, language)


@router.post("/{model_id}/{version}/state")
def move_model(
    model_id: str,
    version: str,
    body: Move,
    principal: Scientist,
    settings: SettingsDependency,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Bring a version into another state; promoting one to active retires the one before."""
    given = body.pilot
    pilot = Pilot(tuple(given.readers), tuple(given.sources)) if given else None
    with database.begin() as connection:
        move(
            connection,
            model_id,
            version,
            body.to,
            principal,
            reason=body.reason,
            report=body.report,
            pilot=pilot,
        )
    return read_model(model_id, principal, settings, database, language)


@router.post("/{model_id}/rollback")
def rollback_model(
    model_id: str,
    body: Reason,
    principal: Scientist,
    settings: SettingsDependency,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Make the version active again that the active one replaced."""
    with database.begin() as connection:
        rollback(connection, model_id, principal, reason=body.reason)
    return read_model(model_id, principal, settings, database, language)


@router.get("/{model_id}/events")
def list_events(
    model_id: str,
    _: Scientist,
    database: DatabaseDependency,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """The history of a model, newest first."""
    with database.read() as connection:
        found = events_of(connection, model_id, before=before, limit=limit)
    return {"events": [event_document(event) for event in found]}


def require_licence(body: Agreement, what: str) -> None:
    """Refuse at once, before anything is started.

    Raises
    ------
    LicenceNotAccepted
        The licence was not accepted.
    """
    if not body.licence_accepted:
        raise LicenceNotAccepted(
            f"{what} is installed only when its licence was read and accepted "
            "(licence_accepted = true)."
        )


def principal_document(principal: Principal) -> dict[str, Any]:
    """A principal as JSON, for work in another process."""
    return {
        "name": principal.name,
        "display_name": principal.display_name,
        "roles": sorted(principal.roles),
        "kind": principal.kind,
        "address": principal.address,
    }


def _manages(principal: Principal) -> bool:
    return principal.may(Permission.MODEL_MANAGE)


def _sees(principal: Principal, row: InstalledModel) -> bool:
    """Shadow versions are for scientists, pilots for their readers too, active ones for all."""
    if _manages(principal) or row.state is ModelState.ACTIVE:
        return True
    return row.state is ModelState.PILOT and principal.name in row.pilot.readers


def _item(
    model_id: str,
    found: Sequence[DiscoveredModel],
    rows: Sequence[InstalledModel],
    principal: Principal,
    settings: Settings,
    language: str,
) -> dict[str, Any]:
    mine = {r.version: r for r in rows if r.model == model_id and _sees(principal, r)}
    here = {m.version: m for m in found if m.id == model_id}
    store = weights_store(settings)
    versions = [
        version_document(
            here.get(version), mine.get(version), store, language, full=_manages(principal)
        )
        for version in sorted({*mine, *here}, key=version_key, reverse=True)
    ]
    active = next((r.version for r in mine.values() if r.state is ModelState.ACTIVE), None)
    shown = next((v for v in versions if v["version"] == active), versions[0])
    return {"id": model_id, "title": shown["title"], "active": active, "versions": versions}


def _code(settings: Settings, model: DiscoveredModel) -> list[str] | None:
    """What a bundle would run as code; None while its weights are not here."""
    assert model.manifest is not None
    store = weights_store(settings)
    if not store.has(model.manifest.weights.sha256):
        return None
    return code_in(model.manifest, store)
