"""Bring the schema up to date: one Alembic branch per owner, in layer order.

Owners are the entry points of group ``ennead.migrations`` (value ``ennead_pacs.migrations``); the
branch label is the entry's name without ``ennead_``, and revisions are named ``<label>_<number>``.
A folder is located by asking for its top-level module only, so nothing of an owner is imported but
its revision files. An owner that is not there is reported and skipped.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import Connection, inspect, text

from ennead.database.engine import Database
from ennead.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from ennead.settings import Settings

GROUP: Final = "ennead.migrations"
_LAYERS: Final = ("ennead", "pacs", "ris", "models", "pipelines")
_ADVISORY_LOCK: Final = 0x454E4E45  # "ENNE"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """A branch of the schema.

    Parameters
    ----------
    label : str
        Alembic branch label: ``ennead``, ``pacs``, ``pipelines``.
    versions : Path or None
        Folder of revision files; None when ``error`` says why it cannot be used.
    """

    label: str
    versions: Path | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class BranchState:
    """Where one owner's branch stands: ``current`` is "" before its first migration."""

    label: str
    current: str
    head: str
    error: str = ""

    @property
    def is_current(self) -> bool:
        """Whether nothing is to be done."""
        return self.current == self.head


def owners() -> list[Owner]:
    """Every owner, lowest layer first."""
    found: dict[str, Owner] = {}
    for entry in entry_points(group=GROUP):
        label = entry.name.removeprefix("ennead_")
        found.setdefault(label, _locate(label, entry.value))
    rank = {label: position for position, label in enumerate(_LAYERS)}
    return sorted(found.values(), key=lambda o: (rank.get(o.label, len(_LAYERS)), o.label))


def _locate(label: str, module: str) -> Owner:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return Owner(label, None, f"module {top!r} is not installed")
    versions = Path(next(iter(spec.submodule_search_locations)), *rest, "versions")
    if not any(versions.glob("*.py")):
        return Owner(label, None, f"{module}.versions holds no revision")
    return Owner(label, versions)


def upgrade(settings: Settings) -> list[BranchState]:
    """Migrate every owner to its head; two starts at once do not race.

    Raises
    ------
    ConfigurationError
        The database was written by a newer version of the software.
    """
    database = Database(settings.database_url)
    try:
        with _one_at_a_time(database), database.begin() as connection:
            if not database.is_sqlite:
                connection.execute(text("select pg_advisory_xact_lock(:k)"), {"k": _ADVISORY_LOCK})
            config, script = _alembic(usable := [o for o in owners() if o.versions])
            for state in _states(connection, script, usable):
                if not state.is_current:
                    _run(connection, config, state.head)
                    log.info("schema migrated", branch=state.label, revision=state.head)
            return _report(connection)
    finally:
        database.close()


def check(settings: Settings) -> list[BranchState]:
    """Where each branch stands; the schema is current when every state is."""
    database = Database(settings.database_url)
    try:
        with database.read() as connection:
            return _report(connection)
    finally:
        database.close()


def _report(connection: Connection) -> list[BranchState]:
    every = owners()
    usable = [o for o in every if o.versions]
    states = _states(connection, _alembic(usable)[1], usable)
    return states + [BranchState(o.label, "", "", o.error) for o in every if o.error]


def _alembic(usable: list[Owner]) -> tuple[Config, ScriptDirectory]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(str(o.versions) for o in usable))
    return config, ScriptDirectory.from_config(config)


def _states(
    connection: Connection, script: ScriptDirectory, usable: list[Owner]
) -> list[BranchState]:
    applied: set[str] = set()
    if inspect(connection).has_table("alembic_version"):
        rows = connection.execute(text("select version_num from alembic_version"))
        applied = {str(row[0]) for row in rows}
    branches = {o.label: _lineage(script, o) for o in usable}
    known = {revision for lineage in branches.values() for revision in lineage}
    unknown = applied - known
    skipped = {o.label for o in owners() if not o.versions}
    foreign = {r for r in unknown if r.split("_")[0] not in skipped}
    if foreign:
        raise ConfigurationError(
            f"The database holds schema revisions {sorted(foreign)} that this version does not "
            "know. Run the version that wrote it, or a newer one."
        )
    # A revision that another one depends on has no row of its own.
    implied = {r.revision for r in script.get_all_current(tuple(applied & known))}
    return [
        BranchState(label, next((r for r in lineage if r in implied), ""), lineage[0])
        for label, lineage in branches.items()
    ]


def _lineage(script: ScriptDirectory, owner: Owner) -> list[str]:
    """The owner's revisions, head first."""
    inside = [r for r in script.walk_revisions() if Path(r.path).parent == owner.versions]
    below = {r.down_revision for r in inside}
    heads = [r.revision for r in inside if r.revision not in below]
    if len(heads) != 1:
        raise ConfigurationError(
            f"Branch {owner.label!r} must have exactly one head; it has {sorted(heads)}. "
            "Give the newer revision the older one as down_revision."
        )
    down = {r.revision: r.down_revision for r in inside}
    lineage = [heads[0]]
    while isinstance(below_it := down[lineage[-1]], str):
        lineage.append(below_it)
    return lineage


def _run(connection: Connection, config: Config, head: str) -> None:
    from alembic import command

    config.attributes["connection"] = connection
    command.upgrade(config, head)


@contextmanager
def _one_at_a_time(database: Database) -> Iterator[None]:
    """SQLite: a lock file beside the database (switching to WAL does not wait for locks)."""
    path = database.engine.url.database
    if not database.is_sqlite or not path:
        yield
        return
    with Path(f"{path}.migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
