"""Accounts: add, list, change a password, close, reopen."""

from __future__ import annotations

from typing import Annotated

import typer

from ennead.cli.options import DEFAULT_HOME, Home, opened
from ennead.security.principal import Role

users = typer.Typer(
    help="Accounts: add, list, change a password, close, reopen.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name to log in with.")]
Password = Annotated[
    str,
    typer.Option(
        envvar="ENNEAD_USER_PASSWORD",
        prompt=True,
        hide_input=True,
        confirmation_prompt=True,
        help="Asked for when not given by ENNEAD_USER_PASSWORD.",
    ),
]


@users.command("add")
def add(
    name: Name,
    password: Password,
    role: Annotated[list[Role], typer.Option("--role", help="May be repeated.")],
    display_name: Annotated[
        str, typer.Option(help="As written into signed documents (Nguyễn Văn A).")
    ] = "",
    home: Home = DEFAULT_HOME,
) -> None:
    """Make an account.

    Try:

      ennead users add bs.nguyen --role radiologist --display-name "BS. Nguyễn Văn A"

      ENNEAD_USER_PASSWORD=… ennead users add ktv.tran --role technologist
    """
    from ennead.security import SYSTEM
    from ennead.security import users as accounts

    with opened(home) as (settings, database), database.begin() as connection:
        accounts.add(
            connection,
            settings,
            SYSTEM,
            name=name,
            display_name=display_name,
            roles=role,
            password=password,
        )


@users.command("list")
def every(home: Home = DEFAULT_HOME) -> None:
    """List accounts.

    Try:

      ennead users list --home /srv/ennead
    """
    from ennead.security import users as accounts

    with opened(home) as (_, database), database.read() as connection:
        for user in accounts.every(connection):
            state = "closed" if user.disabled else ""
            roles = ", ".join(sorted(user.roles))
            typer.echo(f"{user.name:<24} {roles:<24} {user.display_name:<32} {state}".rstrip())


@users.command("password")
def password(name: Name, password: Password, home: Home = DEFAULT_HOME) -> None:
    """Set a new password; ends the user's sessions and lifts a lock-out.

    Try:

      ennead users password bs.nguyen
    """
    from ennead.security import SYSTEM
    from ennead.security import users as accounts

    with opened(home) as (settings, database), database.begin() as connection:
        accounts.set_password(connection, settings, SYSTEM, name, password)


@users.command("disable")
def disable(name: Name, home: Home = DEFAULT_HOME) -> None:
    """Close an account and end its sessions.

    Try:

      ennead users disable bs.nguyen
    """
    _set_disabled(home, name, True)


@users.command("enable")
def enable(name: Name, home: Home = DEFAULT_HOME) -> None:
    """Reopen an account.

    Try:

      ennead users enable bs.nguyen
    """
    _set_disabled(home, name, False)


def _set_disabled(home: Home, name: str, disabled: bool) -> None:
    from ennead.security import SYSTEM
    from ennead.security import users as accounts

    with opened(home) as (_, database), database.begin() as connection:
        accounts.set_disabled(connection, SYSTEM, name, disabled)
