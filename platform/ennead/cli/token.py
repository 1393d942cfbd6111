"""Bearer tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened
from ennead.security.principal import Role


def token(
    home: Home = DEFAULT_HOME,
    role: Annotated[
        list[Role] | None, typer.Option("--role", help="Role of the token; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="Whose it is; shown in the audit.")] = "cli",
    days: Annotated[
        float, typer.Option(min=0, help="Days until it ends; 0 for until it is revoked.")
    ] = 0,
    show: Annotated[
        bool, typer.Option("--list", help="List tokens (never their secrets).")
    ] = False,
    revoke: Annotated[int, typer.Option(help="Number of a token to end.")] = 0,
) -> None:
    """Print one new bearer token and nothing else; or list and end tokens.

    Works while the server runs, and before its first start.

    Try:

      ennead token --home /srv/ennead --role admin

      ennead token --role device --name ct-1 --days 365

      ennead token --list

      ennead token --revoke 3
    """
    import datetime as dt

    from ennead.security import SYSTEM, tokens

    with opened(home) as (_, database):
        if show:
            with database.read() as connection:
                for known in tokens.every(connection):
                    typer.echo(_line(known))
            return
        with database.begin() as connection:
            if revoke:
                tokens.revoke(connection, SYSTEM, revoke)
                return
            if not role:
                raise typer.BadParameter(f"name a role: {', '.join(Role)}", param_hint="--role")
            ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days) if days else None
            secret = tokens.create(connection, SYSTEM, name=name, roles=role, expires_at=ends)
        typer.echo(secret)


def _line(known: object) -> str:
    from ennead.security.tokens import Token

    assert isinstance(known, Token)
    state = "revoked" if known.revoked_at else f"until {known.expires_at or 'revoked'}"
    used = f"{known.last_used_at:%Y-%m-%d %H:%M}" if known.last_used_at else "never"
    roles = ", ".join(sorted(known.roles))
    return f"{known.id:>4}  {known.name:<20} {roles:<16} {state}, last used {used}"
