"""Bring the database's schema up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from ennead.cli.options import DEFAULT_HOME, Home


def migrate(
    home: Home = DEFAULT_HOME,
    check: Annotated[bool, typer.Option("--check", help="Only say where it stands.")] = False,
) -> None:
    """Bring the database's schema up to date, or say whether it is.

    Try:

      ennead migrate --home /srv/ennead

      ennead migrate --home /srv/ennead --check
    """
    from ennead import telemetry
    from ennead.database import migrate as migration
    from ennead.settings import Settings

    settings = Settings.load(home)
    telemetry.configure(settings, "cli")
    if not check:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    states = migration.check(settings) if check else migration.upgrade(settings)
    for state in states:
        word = "current" if state.is_current else f"behind: head is {state.head}"
        typer.echo(f"{state.label:<12} {state.current or '(nothing)':<16} {state.error or word}")
    if not all(state.is_current for state in states):
        raise typer.Exit(1)
