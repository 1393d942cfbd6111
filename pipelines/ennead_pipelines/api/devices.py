"""The devices that compute, the models that are open on them, and what runs and waits there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import func, select

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.security import Permission, Principal
from ennead_models.records import InstalledModel, installed
from ennead_pipelines.api.common import CatalogueDependency, moment
from ennead_pipelines.device_state import read_devices, read_residents
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.lanes import Lane, Sight, lane_of, sight_of
from ennead_pipelines.render import title
from ennead_pipelines.tables import jobs

router = APIRouter(prefix="/api/v1", tags=["devices"])

Viewer = Annotated[Principal, Depends(require(Permission.PACKAGE_READ))]


@router.get("/devices")
def read_devices_page(
    principal: Viewer,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """As the workers told within the last seconds; without a worker, no device.

    Models are listed to those who may see them: all to those who manage models, else active ones.
    """
    moment_s = time.time()
    with database.read() as connection:
        sight = sight_of(connection, principal)
        visible = sight.where(jobs)
        running = connection.execute(
            select(jobs)
            .where(jobs.c.state == JobState.RUNNING, visible)
            .order_by(jobs.c.started_at)
        ).all()
        waiting = connection.execute(
            select(func.count()).where(jobs.c.state == JobState.WAITING, visible)
        ).scalar_one()
        residents = [
            each
            for each in read_residents(settings.home)
            if sight.sees(Lane(each["lane"]), each["model"], each["version"])
        ]
        known = {each.digest: each for each in installed(connection)}
    devices = read_devices(settings.home)
    for device in devices:
        host = device.pop("host", None)
        if host:
            residents += _warm(host, device["id"], known, sight, moment_s)
        device["leases"] = _leases(host) if host else None
        device["residents"] = [
            {
                "model": each["model"],
                "title": title(each["title"], language, each["model"]),
                "version": each["version"],
                "mib": each["mib"],
                "idle_s": round(max(0.0, moment_s - each["used_at"]), 1),
                "process": each["process"],
            }
            for each in residents
            if each["device"] == device["id"]
        ]
    return {
        "at": moment(now()),
        "devices": devices,
        "running": [
            {
                "job": row.id,
                "package": row.package,
                "title": title(row.title, language, row.package),
                "version": row.version,
                "lane": row.lane,
                "since": moment(row.started_at),
                **_needs(catalogue, row.package, row.manifest_digest),
            }
            for row in running
        ],
        "waiting": waiting,
    }


def _warm(
    host: Mapping[str, Any],
    device: str,
    known: Mapping[str, InstalledModel],
    sight: Sight,
    moment_s: float,
) -> Iterator[dict[str, Any]]:
    """Models that the device's host keeps loaded, as :func:`read_residents` gives its own."""
    for each in host["residents"]:
        model = known.get(each["model"].partition("|")[0])
        if model and sight.sees(lane_of(str(model.state)), model.model, model.version):
            yield {
                "device": device,
                "model": model.model,
                "title": model.manifest.title,
                "version": model.version,
                "mib": each["mib"],
                "used_at": moment_s - each["idle_s"],
                "process": None,
            }


def _leases(host: Mapping[str, Any]) -> dict[str, Any]:
    """How much of the budget is leased, and who waits for how much."""
    return {
        "leased_mib": host["leased_mib"],
        "running": len(host["running"]),
        "waiting": [
            {"mib": each["mib"], "waited_s": each["waited_s"], "priority": each["priority"]}
            for each in host["queue"]
        ],
        "finished": host["finished"],
    }


def _needs(catalogue: CatalogueDependency, package: str, digest: str) -> dict[str, Any]:
    """What the run has reserved of the processors and their memory; null for what is gone."""
    found = catalogue.get(package, digest)
    manifest = found.manifest if found else None
    return {
        "cpu": manifest.runtime.cpu if manifest else None,
        "ram_mib": manifest.runtime.ram_mib if manifest else None,
    }
