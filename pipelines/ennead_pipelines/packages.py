"""Which packages are here, and which of them are switched on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from sqlalchemy import Connection, select

from ennead.database import insert_ignore, upsert
from ennead.errors import Conflict, NotFound
from ennead.plugins import DiscoveredPackage, discover_packages
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.jobs.states import now
from ennead_pipelines.lanes import Lane
from ennead_pipelines.networks.as_package import ModelPackage, lane_of
from ennead_pipelines.tables import package_states


@dataclass(frozen=True, slots=True)
class PackageState:
    """A package found here or known from before, with its switch."""

    package: DiscoveredPackage
    enabled: bool


class PackageCatalogue:
    """Packages and installed models; installing needs no restart.

    Parameters
    ----------
    seconds : float
        Packages are looked for again after so long.
    models : callable, optional
        Gives the installed models as packages
        (:class:`ennead_pipelines.networks.lifecycle.InstalledModels`).
    """

    def __init__(
        self,
        seconds: float = 5.0,
        discover: Callable[[], Sequence[DiscoveredPackage]] = discover_packages,
        models: Callable[[], Sequence[ModelPackage]] = tuple,
    ) -> None:
        self._models = models
        self._seconds = seconds
        self._discover = discover
        self._lock = Lock()
        self._at = float("-inf")
        self._found: tuple[DiscoveredPackage, ...] = ()

    def all(self) -> tuple[DiscoveredPackage, ...]:
        """Every package, then every version of a model; broken ones with their error.

        A model that bears the id of a package is broken.
        """
        with self._lock:
            if time.monotonic() - self._at > self._seconds:
                self._found = tuple(self._discover())
                self._at = time.monotonic()
            packages = self._found
        taken = {p.id for p in packages}
        return packages + tuple(
            replace(m, error=f"package {m.id!r} has the same id; give the model another")
            if m.id in taken
            else m
            for m in self._models()
        )

    def get(self, package_id: str, digest: str = "") -> DiscoveredPackage | None:
        """The package, or None when it is not installed.

        Of a model's versions, the one with this digest; without one, that which readers see.
        """
        found = [p for p in self.all() if p.id == package_id and digest in ("", p.digest)]
        lanes = {lane_of(p): p for p in reversed(found)}
        wanted = (lanes.get(lane) for lane in (Lane.ACTIVE, Lane.PILOT, Lane.SHADOW, None))
        return next((p for p in wanted if p), None)


def introduce(connection: Connection, packages: Sequence[DiscoveredPackage]) -> None:
    """Give every new package a switch: on when the instance is fresh, off when it came later."""
    known = set(connection.execute(select(package_states.c.package)).scalars())
    fresh = not known
    mine = {p.id for p in packages if p.usable and not isinstance(p, ModelPackage)}
    new = sorted(mine - known)
    at = now()
    for package_id in new:
        row = {"package": package_id, "enabled": fresh, "changed_at": at, "changed_by": "ennead"}
        insert_ignore(connection, package_states, row)


def states(connection: Connection, packages: Sequence[DiscoveredPackage]) -> list[PackageState]:
    """Every discovered package with its switch; a broken one is never on.

    A model's switch is its lifecycle: it is on in shadow, in a pilot, and when active.
    """
    rows = connection.execute(select(package_states.c.package, package_states.c.enabled))
    enabled = {row.package: row.enabled for row in rows}
    return [
        PackageState(
            p,
            p.usable
            and (p.lane is not None if isinstance(p, ModelPackage) else enabled.get(p.id, False)),
        )
        for p in packages
    ]


def switch(
    connection: Connection,
    packages: Sequence[DiscoveredPackage],
    package_id: str,
    principal: Principal,
    *,
    enabled: bool,
) -> None:
    """Turn a package on or off, with an audit event.

    Raises
    ------
    NotFound
        No such package is installed.
    Conflict
        The package is broken and cannot be turned on, or is a model.
    """
    package = next((p for p in packages if p.id == package_id), None)
    if package is None:
        known = ", ".join(p.id for p in packages) or "none"
        raise NotFound(f"No package {package_id!r} is installed here; installed are: {known}.")
    if isinstance(package, ModelPackage):
        raise Conflict(
            f"{package_id!r} is a model: what it does on arrival is its place in the lifecycle. "
            f"Move it on the models page, or with: ennead models move {package_id}"
        )
    if enabled and not package.usable:
        raise Conflict(f"Package {package_id!r} cannot be enabled: {package.error}")
    row = {
        "package": package_id,
        "enabled": enabled,
        "changed_at": now(),
        "changed_by": principal.name,
    }
    upsert(connection, package_states, row, keys=["package"])
    action = "package.enabled" if enabled else "package.disabled"
    record(connection, principal, action, detail={"package": package_id})
