"""Bearer tokens for programs: 256 random bits, stored as a hash, with name, roles and end."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select, update

from ennead.errors import NotFound
from ennead.security import audit
from ennead.security.principal import Principal, Role
from ennead.security.sessions import digest
from ennead.security.tables import tokens
from ennead.security.users import roles_of

PREFIX = "enn_"
#: ``last_used_at`` is not written more often than this.
TOUCH_EVERY = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A token's record; the secret itself was shown once."""

    id: int
    name: str
    roles: frozenset[Role]
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None

    def principal(self, address: str = "") -> Principal:
        """The program behind a request."""
        return Principal(self.name, self.name, self.roles, "token", address)


def create(
    connection: Connection,
    by: Principal,
    *,
    name: str,
    roles: Collection[Role],
    expires_at: dt.datetime | None = None,
) -> str:
    """Make a token and return its secret, which cannot be shown again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        insert(tokens).values(
            token_hash=digest(secret),
            name=name[:64],
            roles=sorted(roles),
            created_at=dt.datetime.now(dt.UTC),
            created_by=by.name,
            expires_at=expires_at,
        )
    )
    audit.record(connection, by, "token.created", detail={"token": name, "roles": sorted(roles)})
    return secret


def find(connection: Connection, token_hash: str) -> Token | None:
    """The token when it is neither revoked nor expired."""
    now = dt.datetime.now(dt.UTC)
    row = connection.execute(
        select(*_COLUMNS).where(
            tokens.c.token_hash == token_hash,
            tokens.c.revoked_at.is_(None),
            or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
        )
    ).one_or_none()
    return _token(*row) if row else None


def every(connection: Connection) -> list[Token]:
    """All tokens, oldest first."""
    return [_token(*row) for row in connection.execute(select(*_COLUMNS).order_by(tokens.c.id))]


def touch(connection: Connection, token_id: int) -> None:
    """Note that the token was used just now."""
    connection.execute(
        update(tokens).where(tokens.c.id == token_id).values(last_used_at=dt.datetime.now(dt.UTC))
    )


def revoke(connection: Connection, by: Principal, token_id: int) -> None:
    """End a token; honoured by every node within five seconds.

    Raises
    ------
    NotFound
        No such token, or revoked before.
    """
    done = connection.execute(
        update(tokens)
        .where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
        .values(revoked_at=dt.datetime.now(dt.UTC))
    )
    if not done.rowcount:
        raise NotFound(f"There is no token {token_id} in force. List them: ennead token --list.")
    audit.record(connection, by, "token.revoked", detail={"token": token_id})


_COLUMNS = (
    tokens.c.id,
    tokens.c.name,
    tokens.c.roles,
    tokens.c.created_at,
    tokens.c.created_by,
    tokens.c.expires_at,
    tokens.c.last_used_at,
    tokens.c.revoked_at,
)


def _token(
    id: int,
    name: str,
    roles: list[str],
    created_at: dt.datetime,
    created_by: str,
    expires_at: dt.datetime | None,
    last_used_at: dt.datetime | None,
    revoked_at: dt.datetime | None,
) -> Token:
    return Token(
        id, name, roles_of(roles), created_at, created_by, expires_at, last_used_at, revoked_at
    )
