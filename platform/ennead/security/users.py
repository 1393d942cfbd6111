"""People who log in with a name and a password."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ennead.errors import Conflict, NotFound, PasswordRefused
from ennead.security import audit, sessions
from ennead.security.passwords import check_rules, hash_password
from ennead.security.principal import Principal, Role
from ennead.security.tables import users
from ennead.settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; the password hash stays in the table."""

    name: str
    display_name: str
    roles: frozenset[Role]
    disabled: bool
    locked_until: dt.datetime | None
    created_at: dt.datetime
    last_login_at: dt.datetime | None

    def principal(self, address: str = "") -> Principal:
        """The person behind a request."""
        return Principal(self.name, self.display_name, self.roles, "user", address)


def roles_of(values: Iterable[str]) -> frozenset[Role]:
    """The known ones among stored role names (a role of a newer version gives nothing)."""
    known = {str(role): role for role in Role}
    return frozenset(known[value] for value in values if value in known)


def add(
    connection: Connection,
    settings: Settings,
    by: Principal,
    *,
    name: str,
    display_name: str,
    roles: Collection[Role],
    password: str,
) -> User:
    """Make an account.

    Raises
    ------
    PasswordRefused
        The name or the password breaks a rule.
    Conflict
        The name is taken.
    """
    if not _NAME.fullmatch(name):
        raise PasswordRefused(
            "A user name has 2 to 64 of the characters a–z 0–9 . _ - and starts with a letter or "
            f"digit; got {name[:64]!r}."
        )
    if not roles:
        raise PasswordRefused(f"A user needs a role: {', '.join(Role)}.")
    check_rules(password, name, settings.security)
    if connection.execute(select(users.c.name).where(users.c.name == name)).first():
        raise Conflict(f"User {name!r} exists already; choose another name.")
    now = dt.datetime.now(dt.UTC)
    connection.execute(
        insert(users).values(
            name=name,
            display_name=(display_name.strip() or name)[:200],
            password_hash=hash_password(password),
            roles=sorted(roles),
            created_at=now,
            password_changed_at=now,
        )
    )
    audit.record(connection, by, "user.added", detail={"user": name, "roles": sorted(roles)})
    return get(connection, name)


def get(connection: Connection, name: str) -> User:
    """Raises :class:`ennead.errors.NotFound`."""
    row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"There is no user {name[:64]!r}. List them: ennead users list.")
    return _user(row)


def every(connection: Connection) -> list[User]:
    """All users by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def set_password(
    connection: Connection, settings: Settings, by: Principal, name: str, password: str
) -> None:
    """Change the password, end every session of the user, and lift a lock-out."""
    get(connection, name)
    check_rules(password, name, settings.security)
    connection.execute(
        update(users)
        .where(users.c.name == name)
        .values(
            password_hash=hash_password(password),
            password_changed_at=dt.datetime.now(dt.UTC),
            failures=0,
            locked_until=None,
        )
    )
    sessions.revoke_user(connection, name)
    audit.record(connection, by, "user.password-changed", detail={"user": name})


def set_disabled(connection: Connection, by: Principal, name: str, disabled: bool) -> User:
    """Close or reopen an account; closing ends its sessions.

    Raises
    ------
    Conflict
        The last usable administrator would be closed.
    """
    user = get(connection, name)
    if disabled and Role.ADMIN in user.roles:
        others = [u for u in every(connection) if Role.ADMIN in u.roles and not u.disabled]
        if [u.name for u in others] == [name]:
            raise Conflict(f"{name!r} is the last administrator; make another one first.")
    connection.execute(update(users).where(users.c.name == name).values(disabled=disabled))
    if disabled:
        sessions.revoke_user(connection, name)
    action = "user.disabled" if disabled else "user.enabled"
    audit.record(connection, by, action, detail={"user": name})
    return get(connection, name)


def _user(row: Row[Any]) -> User:
    return User(
        row.name,
        row.display_name,
        roles_of(row.roles),
        row.disabled,
        row.locked_until,
        row.created_at,
        row.last_login_at,
    )
