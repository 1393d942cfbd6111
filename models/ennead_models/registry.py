"""Changing the registry: register, move from state to state, roll back.

Each change is one transaction that holds the row, its history (``model_events``), the audit entry
and an outbox event (:data:`ennead.events.MODEL_CHANGED`), so that others notice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from ennead import events
from ennead.errors import Conflict, TransitionRefused
from ennead.security import Principal
from ennead.security.audit import record
from ennead_models.lifecycle import ModelState, check_transition
from ennead_models.manifest import ModelManifest
from ennead_models.records import InstalledModel, Pilot, active_version, installed_version
from ennead_models.tables import installed_models, model_events

_ADVISORY_LOCK = 0x4D4F4445  # "MODE"


def register(
    connection: Connection,
    manifest: ModelManifest,
    digest: str,
    folder: Path,
    principal: Principal,
    *,
    code_accepted: bool,
    reference: Mapping[str, Any],
) -> InstalledModel:
    """Write a model down as installed; its checks were made before (:mod:`ennead_models.install`).

    Raises
    ------
    Conflict
        The version is installed already with another digest.
    """
    _one_at_a_time(connection)
    at = dt.datetime.now(dt.UTC)
    fresh = {
        "folder": str(folder),
        "licence_accepted_by": principal.name,
        "licence_accepted_at": at,
        "code_accepted": code_accepted,
        "reference": dict(reference),
        "reference_at": at,
        "changed_at": at,
        "changed_by": principal.name,
    }
    table = installed_models
    same = (table.c.model == manifest.id) & (table.c.version == manifest.version)
    known = connection.execute(select(table.c.digest, table.c.state).where(same)).one_or_none()
    if known is not None and known.digest != digest:
        raise Conflict(
            f"{manifest.id} {manifest.version} is installed with other content ({known.digest}); "
            f"this folder is {digest}. Changed content needs a new version."
        )
    if known is not None:
        connection.execute(update(table).where(same).values(**fresh))
        state = ModelState(known.state)
    else:
        state = ModelState.REGISTERED
        connection.execute(
            insert(table).values(
                model=manifest.id,
                version=manifest.version,
                digest=digest,
                state=state,
                manifest=manifest.model_dump(mode="json", by_alias=True),
                pilot={},
                previous="",
                measured={},
                installed_at=at,
                installed_by=principal.name,
                **fresh,
            )
        )
    detail = {"digest": digest, "licence": manifest.licence, "code_accepted": code_accepted}
    _tell(
        connection,
        principal,
        "installed",
        manifest.id,
        manifest.version,
        (known.state if known else "", state),
        detail=detail,
    )
    return installed_version(connection, manifest.id, manifest.version)


def move(
    connection: Connection,
    model: str,
    version: str,
    to_state: ModelState,
    principal: Principal,
    *,
    reason: str = "",
    report: str = "",
    pilot: Pilot | None = None,
) -> InstalledModel:
    """Bring a version into another state.

    Parameters
    ----------
    reason : str
        Why, in words; kept in the history and the audit trail.
    report : str
        Identifier of a validation report; one recorded earlier for this version counts too.
    pilot : Pilot
        For ``pilot``: at least one reader.

    Raises
    ------
    NotFound
        The version is not installed.
    TransitionRefused
        :func:`ennead_models.lifecycle.check_transition`; or a pilot without a reader.
    """
    _one_at_a_time(connection)
    before = installed_version(connection, model, version, lock=True)
    evidence = report or _report_of(connection, model, version)
    check_transition(f"{model} {version}", before.state, to_state, reason=reason, report=evidence)
    if to_state is ModelState.PILOT and not (pilot and pilot.readers):
        raise TransitionRefused(
            f"A pilot of {model} {version} needs the readers it is for: their login names."
        )
    previous = before.previous
    if to_state is ModelState.ACTIVE:
        previous = _step_down(connection, model, version, principal, f"replaced by {version}")
    _set(connection, before, to_state, principal, pilot=pilot or Pilot(), previous=previous)
    detail: dict[str, Any] = {"digest": before.digest}
    if report:
        detail["report"] = report
    if to_state is ModelState.PILOT and pilot:
        detail["pilot"] = pilot.document()
    _tell(
        connection,
        principal,
        "moved",
        model,
        version,
        (before.state, to_state),
        reason=reason,
        detail=detail,
    )
    return installed_version(connection, model, version)


def rollback(
    connection: Connection, model: str, principal: Principal, *, reason: str = ""
) -> InstalledModel:
    """Make the version active again that the active one replaced; returns it.

    Raises
    ------
    TransitionRefused
        No version is active, or it replaced none.
    """
    _one_at_a_time(connection)
    current = active_version(connection, model)
    if current is None or not current.previous:
        why = "replaced no other" if current else "is not active in any version"
        raise TransitionRefused(
            f"There is nothing to roll back to: {model} {why}. Retire it, or promote a version."
        )
    before = installed_version(connection, model, current.previous, lock=True)
    _set(connection, current, ModelState.RETIRED, principal)
    _set(connection, before, ModelState.ACTIVE, principal, previous=before.previous)
    _tell(
        connection,
        principal,
        "rolled-back",
        model,
        current.version,
        (ModelState.ACTIVE, ModelState.RETIRED),
        reason=reason,
        detail={"to": before.version, "digest": current.digest},
    )
    _tell(
        connection,
        principal,
        "rolled-back",
        model,
        before.version,
        (before.state, ModelState.ACTIVE),
        reason=reason,
        detail={"from": current.version, "digest": before.digest},
    )
    return installed_version(connection, model, before.version)


def add_report(
    connection: Connection,
    model: str,
    version: str,
    principal: Principal,
    report: str,
    detail: Mapping[str, Any],
) -> None:
    """Write down that a validation report on local data exists for this version.

    Raises
    ------
    NotFound
        The version is not installed.
    """
    found = installed_version(connection, model, version)
    _tell(
        connection,
        principal,
        "reported",
        model,
        version,
        (found.state, found.state),
        detail={"report": report, **detail},
    )


def note_checked(
    connection: Connection,
    model: str,
    version: str,
    principal: Principal,
    reference: Mapping[str, Any],
) -> None:
    """Keep what the reference case gave when it was run again, passed or not.

    Raises
    ------
    NotFound
        The version is not installed.
    """
    found = installed_version(connection, model, version, lock=True)
    table = installed_models
    connection.execute(
        update(table)
        .where(table.c.model == model, table.c.version == version)
        .values(reference=dict(reference), reference_at=dt.datetime.now(dt.UTC))
    )
    states = (found.state, found.state)
    _tell(connection, principal, "checked", model, version, states, detail={"reference": reference})


def note_measured(
    connection: Connection, model: str, version: str, measured: Mapping[str, Any]
) -> None:
    """Keep what was measured here, such as the GPU memory of a dry run.

    Raises
    ------
    NotFound
        The version is not installed.
    """
    found = installed_version(connection, model, version, lock=True)
    table = installed_models
    connection.execute(
        update(table)
        .where(table.c.model == model, table.c.version == version)
        .values(measured={**found.measured, **measured})
    )


def _step_down(
    connection: Connection, model: str, version: str, principal: Principal, reason: str
) -> str:
    """Retire the active version, if another is; returns it, or ""."""
    current = active_version(connection, model)
    if current is None or current.version == version:
        return ""
    _set(connection, current, ModelState.RETIRED, principal)
    _tell(
        connection,
        principal,
        "moved",
        model,
        current.version,
        (ModelState.ACTIVE, ModelState.RETIRED),
        reason=reason,
        detail={"digest": current.digest, "replaced_by": version},
    )
    return current.version


def _set(
    connection: Connection,
    model: InstalledModel,
    state: ModelState,
    principal: Principal,
    *,
    pilot: Pilot | None = None,
    previous: str | None = None,
) -> None:
    table = installed_models
    connection.execute(
        update(table)
        .where(table.c.model == model.model, table.c.version == model.version)
        .values(
            state=state,
            pilot=(pilot or Pilot()).document() if state is ModelState.PILOT else {},
            previous=model.previous if previous is None else previous,
            changed_at=dt.datetime.now(dt.UTC),
            changed_by=principal.name,
        )
    )


def _tell(
    connection: Connection,
    principal: Principal,
    action: str,
    model: str,
    version: str,
    states: tuple[str, str],
    *,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """History, outbox, audit; the audit entry last, as its chain asks for."""
    before, after = (str(state) for state in states)
    connection.execute(
        insert(model_events).values(
            at=dt.datetime.now(dt.UTC),
            model=model,
            version=version,
            action=action,
            from_state=before,
            to_state=after,
            reason=reason,
            by=principal.name,
            detail=dict(detail or {}),
        )
    )
    payload = {"model": model, "version": version, "state": after}
    events.publish(connection, events.MODEL_CHANGED, payload=payload)
    record(
        connection,
        principal,
        f"model.{action}",
        detail={**payload, "from_state": before, "reason": reason, **(detail or {})},
        purpose=reason,
    )


def _report_of(connection: Connection, model: str, version: str) -> str:
    query = (
        select(model_events.c.detail)
        .where(
            model_events.c.model == model,
            model_events.c.version == version,
            model_events.c.action.in_(("reported", "moved")),
        )
        .order_by(model_events.c.id.desc())
    )
    for (detail,) in connection.execute(query):
        if detail.get("report"):
            return str(detail["report"])
    return ""


def _one_at_a_time(connection: Connection) -> None:
    """Changes of the registry are put in line (SQLite's write transaction does it by itself)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:k)"), {"k": _ADVISORY_LOCK})
