"""Whether an instance could run: home, database, schema, disk, audit, services, packages, web."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from ennead.cli.options import DEFAULT_HOME, Home

if TYPE_CHECKING:
    from ennead.settings import Settings

_LEAST_FREE = 2 * 1024**3

Finding = tuple[bool, str, str]


def check(home: Home = DEFAULT_HOME) -> None:
    """Check home, database, schema, disk, audit, services, packages and web build.

    Ends with status 1 when something would keep the instance from running as it should. Changes
    nothing; works while the server runs.

    Try:

      ennead check --home /srv/ennead
    """
    from ennead import telemetry
    from ennead.settings import Settings

    settings = Settings.load(home)
    quiet = settings.telemetry.model_copy(update={"log_level": "ERROR"})
    telemetry.configure(settings.model_copy(update={"telemetry": quiet}), "cli")
    good = True
    for ok, what, text in findings(settings):
        good = good and ok
        typer.echo(f"{'ok  ' if ok else 'FAIL'}  {what:<20} {text}")
    if not good:
        raise typer.Exit(1)


def findings(settings: Settings) -> Iterator[Finding]:
    """Every check as (passed, what, text)."""
    for what, look in (
        ("home", _home),
        ("disk", _disk),
        ("database", _database),
        ("audit", _audit),
        ("services", _services),
        ("packages", _packages),
        ("web", _web),
    ):
        yield from _guarded(what, look, settings)


def _guarded(
    what: str, look: Callable[[Settings], Iterator[Finding]], settings: Settings
) -> Iterator[Finding]:
    try:
        yield from look(settings)
    except Exception as error:  # one check that cannot be made is a finding, and the rest goes on
        yield False, what, f"{type(error).__name__}: {error}"


def _home(settings: Settings) -> Iterator[Finding]:
    import os

    if not settings.home.is_dir():
        yield False, "home", f"{settings.home} is not there; ennead serve makes it"
        return
    writable = os.access(settings.home, os.W_OK | os.X_OK)
    yield writable, "home", f"{settings.home}{'' if writable else ' cannot be written'}"


def _disk(settings: Settings) -> Iterator[Finding]:
    import shutil

    folder = settings.objects_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield free >= _LEAST_FREE, "disk", f"{free / 1024**3:.1f} GiB free at {folder}"


def _database(settings: Settings) -> Iterator[Finding]:
    from ennead.database import migrate

    if settings.database_url.startswith("sqlite") and not settings.database.url:
        if not (settings.home / "ennead.sqlite3").exists():
            yield False, "database", "not made yet; ennead migrate makes it"
            return
    for state in migrate.check(settings):
        text = state.error or (
            f"schema {state.current}"
            if state.is_current
            else f"schema {state.current or 'empty'}, head {state.head}: ennead migrate"
        )
        yield state.is_current, f"database {state.label}", text


def _audit(settings: Settings) -> Iterator[Finding]:
    from ennead.database import Database
    from ennead.security import audit, heads

    if not settings.database.url and not (settings.home / "ennead.sqlite3").exists():
        return
    database = Database(settings.database_url)
    try:
        with database.read() as connection:
            found = audit.verify(connection, heads.read(settings))
    finally:
        database.close()
    if found.intact:
        yield True, "audit", f"{found.rows} rows, chain intact"
    for problem in found.problems[:20]:
        yield False, "audit", f"row {problem.id} {problem.kind}: {problem.text}"


def _services(_: Settings) -> Iterator[Finding]:
    from ennead.app import services

    for found in services.discover():
        yield found.service is not None, f"service {found.name}", found.error or "can be loaded"


def _packages(_: Settings) -> Iterator[Finding]:
    from ennead.plugins import discover_packages

    for package in discover_packages():
        version = package.manifest.version if package.manifest else ""
        yield package.usable, f"package {package.id}", package.error or f"version {version}"


def _web(settings: Settings) -> Iterator[Finding]:
    root = settings.portal.web_root
    if root is None:
        from ennead.app.static import web_root

        root = web_root(settings)
    built = (root / "files.json").is_file()
    yield built, "web", f"{root}" if built else f"not built in {root}: make setup"
