"""A site's own thresholds: inside the manifest's bounds, audited with old and new values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from ennead.database import upsert
from ennead.plugins import Manifest
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.jobs.states import now
from ennead_pipelines.site.validate import check_thresholds
from ennead_pipelines.tables import site_thresholds


def site_thresholds_of(connection: Connection) -> dict[str, dict[str, float]]:
    """Package id → threshold id → the site's value."""
    found: dict[str, dict[str, float]] = {}
    for row in connection.execute(select(site_thresholds)):
        found.setdefault(row.package, {})[row.threshold] = float(row.value)
    return found


def threshold_rows(connection: Connection, package: str) -> dict[str, Any]:
    """Threshold id → row, of one package."""
    rows = connection.execute(select(site_thresholds).where(site_thresholds.c.package == package))
    return {row.threshold: row for row in rows}


def set_thresholds(
    connection: Connection,
    manifest: Manifest,
    values: Mapping[str, float | None],
    principal: Principal,
) -> bool:
    """Set the named thresholds; None returns one to its default. True when anything changed.

    Studies that settle from now on are measured with them; what was computed stays as it is.

    Raises
    ------
    NotFound, InputError
        No such threshold, or a value outside the bounds; nothing changes.
    """
    check_thresholds(manifest, values)
    given = {name: float(value) for name, value in values.items() if value is not None}
    before = {
        name: float(row.value) for name, row in threshold_rows(connection, manifest.id).items()
    }
    changed = {name for name, value in values.items() if before.get(name) != value}
    for name in sorted(changed):
        if name in given:
            row = {
                "package": manifest.id,
                "threshold": name,
                "value": given[name],
                "changed_at": now(),
                "changed_by": principal.name,
            }
            upsert(connection, site_thresholds, row, keys=["package", "threshold"])
        else:
            connection.execute(
                delete(site_thresholds).where(
                    site_thresholds.c.package == manifest.id, site_thresholds.c.threshold == name
                )
            )
    if changed:
        detail = {
            "package": manifest.id,
            "version": manifest.version,
            "old": {name: before.get(name) for name in sorted(changed)},
            "new": {name: given.get(name) for name in sorted(changed)},
        }
        record(connection, principal, "thresholds.changed", detail=detail)
    return bool(changed)
