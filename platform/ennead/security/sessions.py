"""Browser sessions: a random token in a cookie, its hash in the table, gone when revoked."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ennead.security.principal import Principal
from ennead.security.tables import sessions


@dataclass(frozen=True, slots=True)
class NewSession:
    """What goes into the two cookies; only the hash of ``token`` is kept."""

    token: str
    csrf_token: str
    expires_at: dt.datetime


def digest(secret: str) -> str:
    """How a session or bearer token is stored: it is random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def csrf_token(token: str) -> str:
    """The value that a page must send back with every change; a function of the session."""
    return hashlib.sha256(b"csrf\0" + token.encode("utf-8", "surrogateescape")).hexdigest()[:43]


def csrf_matches(token: str, sent: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(csrf_token(token).encode(), sent.encode("utf-8", "replace"))


def start(connection: Connection, principal: Principal, hours: float) -> NewSession:
    """Begin a session of ``hours``; sessions that have ended are forgotten on the way."""
    now = dt.datetime.now(dt.UTC)
    token = secrets.token_urlsafe(32)
    expires_at = now + dt.timedelta(hours=hours)
    connection.execute(delete(sessions).where(sessions.c.expires_at < now))
    connection.execute(
        insert(sessions).values(
            token_hash=digest(token),
            user_name=principal.name,
            address=principal.address[:64],
            created_at=now,
            expires_at=expires_at,
        )
    )
    return NewSession(token, csrf_token(token), expires_at)


def find(connection: Connection, token_hash: str) -> tuple[str, dt.datetime] | None:
    """User name and end of a session that has not ended, or None."""
    now = dt.datetime.now(dt.UTC)
    row = connection.execute(
        select(sessions.c.user_name, sessions.c.expires_at).where(
            sessions.c.token_hash == token_hash, sessions.c.expires_at > now
        )
    ).one_or_none()
    return (row.user_name, row.expires_at) if row else None


def revoke(connection: Connection, token: str) -> None:
    """End one session."""
    connection.execute(delete(sessions).where(sessions.c.token_hash == digest(token)))


def revoke_user(connection: Connection, name: str) -> int:
    """End every session of a user; returns how many."""
    return connection.execute(delete(sessions).where(sessions.c.user_name == name)).rowcount
