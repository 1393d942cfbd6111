"""Reading the registry: what is installed, in which state, and what happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.errors import NotFound
from ennead_models.folders import version_key
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import ModelManifest
from ennead_models.tables import installed_models, model_events


@dataclass(frozen=True, slots=True)
class Pilot:
    """For whom and from where a pilot runs; an empty tuple means all sources."""

    readers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Pilot:
        """From the JSON of the table."""
        return cls(tuple(data.get("readers", ())), tuple(data.get("sources", ())))

    def document(self) -> dict[str, list[str]]:
        """As JSON."""
        return {"readers": list(self.readers), "sources": list(self.sources)}


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A row of the registry."""

    model: str
    version: str
    digest: str
    state: ModelState
    folder: Path
    manifest: ModelManifest
    licence_accepted_by: str
    licence_accepted_at: dt.datetime
    code_accepted: bool
    reference: Mapping[str, Any]
    reference_at: dt.datetime
    pilot: Pilot
    previous: str
    measured: Mapping[str, Any]
    installed_at: dt.datetime
    installed_by: str
    changed_at: dt.datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """One line of a model's history."""

    id: int
    at: dt.datetime
    model: str
    version: str
    action: str
    from_state: str
    to_state: str
    reason: str
    by: str
    detail: Mapping[str, Any]


def installed(connection: Connection, model: str = "") -> list[InstalledModel]:
    """Every installed version (of one model), by id and version."""
    query = select(installed_models)
    if model:
        query = query.where(installed_models.c.model == model)
    found = [_record(row) for row in connection.execute(query)]
    return sorted(found, key=lambda m: (m.model, version_key(m.version)))


def running(connection: Connection) -> list[InstalledModel]:
    """Versions that run on studies as they arrive: shadow, pilot and active ones."""
    return [m for m in installed(connection) if m.state.runs]


def installed_version(
    connection: Connection, model: str, version: str, *, lock: bool = False
) -> InstalledModel:
    """One version; with ``lock``, nobody else changes it before the transaction ends.

    Raises
    ------
    NotFound
        It is not installed; the message says which versions are.
    """
    table = installed_models
    query = select(table).where(table.c.model == model, table.c.version == version)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        known = ", ".join(m.version for m in installed(connection, model)) or "none"
        raise NotFound(f"Model {model!r} {version} is not installed; installed are: {known}.")
    return _record(row)


def active_version(connection: Connection, model: str) -> InstalledModel | None:
    """The one active version, or None."""
    every = installed(connection, model)
    return next((m for m in every if m.state is ModelState.ACTIVE), None)


def pilot_readers(connection: Connection) -> Mapping[tuple[str, str], Collection[str]]:
    """Login names of the readers chosen for each pilot, by model id and version."""
    table = installed_models
    rows = connection.execute(
        select(table.c.model, table.c.version, table.c.pilot).where(
            table.c.state == ModelState.PILOT
        )
    )
    return {(row.model, row.version): Pilot.of(row.pilot).readers for row in rows}


def events_of(
    connection: Connection, model: str, *, before: int | None = None, limit: int = 100
) -> Sequence[ModelEvent]:
    """The history of a model, newest first."""
    query = select(model_events).where(model_events.c.model == model)
    if before is not None:
        query = query.where(model_events.c.id < before)
    query = query.order_by(model_events.c.id.desc()).limit(limit)
    return [ModelEvent(**row._mapping) for row in connection.execute(query)]


def _record(row: Row[Any]) -> InstalledModel:
    values = dict(row._mapping)
    values["state"] = ModelState(row.state)
    values["folder"] = Path(row.folder)
    values["manifest"] = ModelManifest.model_validate(row.manifest)
    values["pilot"] = Pilot.of(row.pilot)
    return InstalledModel(**values)
