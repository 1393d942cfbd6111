"""The packages: what each is for, needs, returns and refuses; switching them on and off."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import Connection, func, select

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.findings import RefusalCode
from ennead.plugins import DiscoveredPackage, InputRule, Manifest
from ennead.security import Permission, Principal
from ennead.settings import Settings
from ennead_pipelines.api.common import CatalogueDependency
from ennead_pipelines.api.function_items import function_item
from ennead_pipelines.api.site_items import SiteItems
from ennead_pipelines.lanes import Lane, Sight, sight_of
from ennead_pipelines.networks.as_package import ModelPackage, lane_of
from ennead_pipelines.packages import PackageState, states, switch
from ennead_pipelines.render import render, title
from ennead_pipelines.sandbox.isolation import isolation_of
from ennead_pipelines.tables import jobs

router = APIRouter(prefix="/api/v1/packages", tags=["packages"])

Viewer = Annotated[Principal, Depends(require(Permission.PACKAGE_READ))]
Manager = Annotated[Principal, Depends(require(Permission.PACKAGE_MANAGE))]


@router.get("")
def list_packages(
    principal: Viewer,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Every installed package; a broken one with what is wrong with it.

    A model's version is listed with its lane, to those who may see that lane.
    """
    with database.read() as connection:
        sight = sight_of(connection, principal)
        known = [s for s in states(connection, catalogue.all()) if _seen(s.package, sight)]
        counts = _counts(connection)
        site = SiteItems(connection, settings, catalogue.all())
    return {
        "packages": [
            _item(each, counts[each.package.id], language)
            | _isolation(settings, each.package, language)
            | site.of(each.package, language)
            for each in known
        ]
    }


@router.post("/{package_id}/enable")
def enable(
    package_id: str,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Run the package on studies that arrive from now on."""
    return _switch(package_id, principal, database, settings, language, catalogue, enabled=True)


@router.post("/{package_id}/disable")
def disable(
    package_id: str,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """Leave the package out from now on; its results stay."""
    return _switch(package_id, principal, database, settings, language, catalogue, enabled=False)


def _switch(
    package_id: str,
    principal: Principal,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: str,
    catalogue: CatalogueDependency,
    *,
    enabled: bool,
) -> dict[str, Any]:
    packages = catalogue.all()
    with database.begin() as connection:
        switch(connection, packages, package_id, principal, enabled=enabled)
    with database.read() as connection:
        state = next(s for s in states(connection, packages) if s.package.id == package_id)
        counts = _counts(connection)
        site = SiteItems(connection, settings, packages)
    return (
        _item(state, counts[package_id], language)
        | _isolation(settings, state.package, language)
        | site.of(state.package, language)
    )


def _seen(package: DiscoveredPackage, sight: Sight) -> bool:
    if not isinstance(package, ModelPackage):
        return True
    if package.lane is None:
        return False  # it does not run: the models page has it
    version = package.manifest.version if package.manifest else ""
    return sight.sees(package.lane, package.id, version)


def _counts(connection: Connection) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(
        lambda: {"done": 0, "refused": 0, "failed": 0, "running": 0}
    )
    query = select(jobs.c.package, jobs.c.state, func.count().label("number"))
    active = query.where(jobs.c.lane == Lane.ACTIVE, jobs.c.function == "")
    for row in connection.execute(active.group_by(jobs.c.package, jobs.c.state)):
        name = "running" if row.state == "waiting" else row.state
        if name in found[row.package]:
            found[row.package][name] += row.number
    return found


def _item(state: PackageState, counts: Mapping[str, int], language: str) -> dict[str, Any]:
    package, manifest = state.package, state.package.manifest
    head: dict[str, Any] = {
        "id": package.id,
        "title": title(manifest.title, language, package.id) if manifest else package.id,
        "version": manifest.version if manifest else "",
        "quality": manifest.quality if manifest else "",
        "licence": manifest.licence if manifest else "",
        "enabled": state.enabled,
        "lane": lane_of(package),
        "model": isinstance(package, ModelPackage),
        "error": package.error or None,
        "distribution": package.distribution,
        "intended_use": None,
        "inputs": [],
        "outputs": [],
        "functions": [],
        "refusals": [],
        "jobs": dict(counts),
    }
    return head | (details(manifest, language, package.folder) if manifest else {})


def _isolation(settings: Settings, package: DiscoveredPackage, language: str) -> dict[str, Any]:
    """How well this machine keeps the package apart."""
    found = isolation_of(settings, package)
    missing = [render(f"sandbox.missing.{name}", language, {}) for name in found.missing]
    values = {"missing": ", ".join(missing)}
    return {
        "isolation": {
            "state": found.state,
            "missing": list(found.missing),
            "text": render(f"sandbox.isolation.{found.state}", language, values),
        }
    }


def details(manifest: Manifest, language: str, folder: Path | None) -> dict[str, Any]:
    """What a package is for, needs, returns, offers and refuses, in one language."""
    use = manifest.intended_use
    return {
        "intended_use": {
            "text": title(use.text, language),
            "status": use.status,
            "contraindications": use.contraindications.get(
                language, use.contraindications.get("en", [])
            ),
            "trained_on": use.trained_on,
        },
        "inputs": [_input(rule, language, folder) for rule in manifest.input],
        "outputs": [
            {
                "id": rule.id,
                "kind": rule.kind,
                "title": title(rule.title, language, rule.id),
                "unit": rule.unit,
                "method": rule.method,
                "reference": rule.reference,
            }
            for rule in manifest.output
        ],
        "functions": [function_item(rule, language) for rule in manifest.function],
        "refusals": [
            {"code": code, "text": text}
            for code, text in dict.fromkeys(_refusals(manifest, language, folder))
        ],
        "clinical": {
            name: [_fact(fact, language) for fact in facts]
            for name, facts in (
                ("requires", manifest.clinical.requires),
                ("uses", manifest.clinical.uses),
            )
        },
    }


def _refusals(manifest: Manifest, language: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    """Code and text of everything that the manifest itself refuses."""
    for each in manifest.input:
        told = [(rule.code, rule.text) for rule in each.require]
        told += [(probe.code, probe.text) for probe in each.probe]
        for code, key in told:
            yield str(code), _rule_text(key, {}, language, folder)
        if each.prior and not each.optional:
            yield str(RefusalCode.PRIOR), render("given.prior_missing", language, {})
    for fact in manifest.clinical.requires:
        values = {"fact": f"given.fact.{fact}"}
        yield str(RefusalCode.CLINICAL_FACT), render("given.fact_missing", language, values)
    for check in manifest.qc.values():
        if check.text:
            yield str(RefusalCode.TECHNIQUE), _rule_text(check.text, {}, language, folder)


def _fact(name: str, language: str) -> str:
    return render("given.rule.fact", language, {"fact": f"given.fact.{name}"})


def _prior(rule: InputRule, language: str) -> dict[str, Any]:
    """An input that is no series: earlier findings."""
    days = rule.prior.max_age_days if rule.prior else None
    said = render("given.rule.prior", language, {})
    if days is not None:
        said = render("given.rule.prior_age", language, {"days": days})
    return {
        "name": rule.name,
        "modality": [],
        "body_part": [],
        "optional": rule.optional,
        "rules": [said],
    }


def _input(rule: InputRule, language: str, folder: Path | None) -> dict[str, Any]:
    if rule.prior is not None:
        return _prior(rule, language)
    said = []
    if rule.min_slices > 1:
        values = {"rule_min": rule.min_slices}
        said.append(render("jobs.rule.slices", language, values))
    if rule.volumetric:
        said.append(render("jobs.rule.volumetric", language, {}))
    if rule.quantitative:
        said.append(render("jobs.rule.quantitative", language, {}))
    for each in rule.require:
        bounds = each.bounds
        values_of: dict[str, Any] = {
            "rule_min": bounds.min if bounds else None,
            "rule_max": bounds.max if bounds else None,
            "wanted": ", ".join(each.one_of) if each.one_of else None,
        }
        shown = {name: value for name, value in values_of.items() if value is not None}
        text = _rule_text(each.text, shown, language, folder)
        if text not in said:
            said.append(text)
    for probe in rule.probe:
        said.append(_rule_text(probe.text, {}, language, folder))
    if rule.anatomy:
        said.append(render("given.rule.anatomy", language, {"structures": ", ".join(rule.anatomy)}))
    return {
        "name": rule.name,
        "modality": list(rule.modality),
        "body_part": list(rule.body_part),
        "optional": rule.optional,
        "rules": said,
    }


def _rule_text(key: str, values: Mapping[str, Any], language: str, folder: Path | None) -> str:
    """A refusal's text as a rule: what only a real series can fill in is an ellipsis."""
    return re.sub(r"\{\w+\}", "…", render(key, language, values, folder))
