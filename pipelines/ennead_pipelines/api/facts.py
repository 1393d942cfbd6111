"""``GET …/facts``: what a model or a package is, how it is judged, how it is used here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.errors import NotFound
from ennead.plugins import DiscoveredPackage
from ennead.security import Permission, Principal
from ennead.settings import Settings
from ennead_models.folders import version_key
from ennead_models.lifecycle import ModelState
from ennead_pipelines.api.common import CatalogueDependency, moment
from ennead_pipelines.api.packages import details
from ennead_pipelines.lanes import Lane, Sight, sight_of
from ennead_pipelines.networks.as_package import ModelPackage, lane_of
from ennead_pipelines.packages import PackageCatalogue, states
from ennead_pipelines.render import render, title

router = APIRouter(prefix="/api/v1", tags=["facts"])

Viewer = Annotated[Principal, Depends(require(Permission.PACKAGE_READ))]


@router.get("/models/{model_id}/facts")
def model_facts(
    model_id: str,
    principal: Viewer,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
    version: Annotated[str, Query(max_length=32)] = "",
) -> dict[str, Any]:
    """A version of a model: the one named, else the active one, else the newest."""
    with database.read() as connection:
        sight = sight_of(connection, principal)
        versions = [
            each
            for each in catalogue.all()
            if isinstance(each, ModelPackage) and each.id == model_id and _seen(each, sight)
        ]
        package = _chosen(model_id, version, versions)
        return _answer(connection, package, versions, sight, settings, language)


@router.get("/packages/{package_id}/facts")
def package_facts(
    package_id: str,
    principal: Viewer,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """A specialty package."""
    with database.read() as connection:
        sight = sight_of(connection, principal)
        package = _package(catalogue, package_id)
        found = _answer(connection, package, [], sight, settings, language)
        enabled = next(s.enabled for s in states(connection, [package]))
    return found | {"state": "enabled" if enabled else "disabled"}


def _package(catalogue: PackageCatalogue, package_id: str) -> DiscoveredPackage:
    package = catalogue.get(package_id)
    if package is None or isinstance(package, ModelPackage) or package.manifest is None:
        raise NotFound(f"No usable package {package_id[:40]!r} is installed here.")
    return package


def _seen(package: ModelPackage, sight: Sight) -> bool:
    if package.manifest is None:
        return False
    if sight.everything:
        return True
    return package.lane is not None and sight.sees(
        package.lane, package.id, package.manifest.version
    )


def _chosen(model_id: str, version: str, versions: list[ModelPackage]) -> ModelPackage:
    fitting = [
        each for each in versions if each.manifest and version in ("", each.manifest.version)
    ]
    if not fitting:
        raise NotFound(f"No model {f'{model_id} {version}'.strip()[:80]!r} is installed here.")

    def rank(each: ModelPackage) -> tuple[bool, bool, tuple[int, ...]]:
        number = each.manifest.version if each.manifest else ""
        retired = each.state is ModelState.RETIRED
        return (each.lane is Lane.ACTIVE, not retired, version_key(number))

    return max(fitting, key=rank)


def _answer(
    connection: Connection,
    package: DiscoveredPackage,
    versions: list[ModelPackage],
    sight: Sight,
    settings: Settings,
    language: str,
) -> dict[str, Any]:
    from ennead_pipelines.networks.facts import facts_of

    manifest = package.manifest
    assert manifest is not None
    today = dt.datetime.now(settings.portal.zone).date()
    found = facts_of(connection, package, versions, sight, today, language)
    shown = details(manifest, language, package.folder)
    use = shown["intended_use"]
    found["lane"] = lane_of(package)
    found["state"] = str(package.state) if isinstance(package, ModelPackage) else "enabled"
    found["intended_use"] = {
        **use,
        "status_text": render(f"networks.status.{use['status']}", language, {}),
        "jurisdictions": list(manifest.intended_use.jurisdictions),
        "inputs": shown["inputs"],
        "outputs": shown["outputs"],
        "models": list(manifest.models),
    }
    found["warnings"]["contraindications"] = use["contraindications"]
    text = found["mechanism"]["text"]
    found["mechanism"]["text"] = render(text["key"], language, text["values"])
    for reason in found["agreement"]["reasons"]:
        reason["text"] = render(f"jobs.rejection.{reason['reason']}", language, {})
    for feature in found["drift"]["inputs"]:
        feature["title"] = {
            language: render(f"networks.feature.{feature['feature']}", language, {})
        }
    latest = found["local_validation"] and found["local_validation"].pop("latest")
    plain: dict[str, Any] = _plain(found, language)
    if plain["local_validation"] is not None:
        plain["local_validation"]["latest"] = latest
    return plain


def _plain(value: Any, language: str) -> Any:
    """Titles in one language, times as texts."""
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, Mapping):
        return {
            key: title(each, language)
            if key == "title" and isinstance(each, Mapping)
            else _plain(each, language)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(each, language) for each in value]
    return value
