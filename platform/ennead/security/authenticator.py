"""From a credential to a principal, remembered for a few seconds.

Image requests come by the hundred with the same token; looking each up would cost more than
serving it. A revoked credential is refused at the latest ``REMEMBER_S`` later.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import OrderedDict

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ennead.database import Database
from ennead.errors import NotFound
from ennead.security import sessions, tokens
from ennead.security.principal import Principal
from ennead.security.users import get

REMEMBER_S = 4.0
_MOST = 4096

log = structlog.get_logger(__name__)


class Authenticator:
    """Resolves bearer tokens and session tokens; :meth:`remembered` never touches the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, tuple[float, Principal | None]] = OrderedDict()

    def remembered(self, kind: str, secret: str) -> tuple[bool, Principal | None]:
        """Whether the answer is still fresh, and the answer."""
        entry = self._known.get(kind + sessions.digest(secret))
        if entry is None or entry[0] < time.monotonic():
            return False, None
        return True, entry[1]

    def forget(self, kind: str, secret: str) -> None:
        """Drop the answer, for a logout in this process."""
        self._known.pop(kind + sessions.digest(secret), None)

    def resolve(self, kind: str, secret: str) -> Principal | None:
        """Look ``secret`` up; ``kind`` is ``bearer`` or ``session``. Blocks on the database."""
        asked_at = time.monotonic()
        hashed = sessions.digest(secret)
        if kind == "bearer":
            principal, left_s = self._bearer(hashed)
        else:
            principal, left_s = self._session(hashed)
        self._known[kind + hashed] = (asked_at + min(REMEMBER_S, left_s), principal)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return principal

    def _bearer(self, hashed: str) -> tuple[Principal | None, float]:
        with self._database.read() as connection:
            token = tokens.find(connection, hashed)
        if token is None:
            return None, REMEMBER_S
        now = dt.datetime.now(dt.UTC)
        if token.last_used_at is None or now - token.last_used_at > tokens.TOUCH_EVERY:
            self._touch(token.id)
        left_s = (token.expires_at - now).total_seconds() if token.expires_at else REMEMBER_S
        return token.principal(), left_s

    def _session(self, hashed: str) -> tuple[Principal | None, float]:
        with self._database.read() as connection:
            found = sessions.find(connection, hashed)
            if found is None:
                return None, REMEMBER_S
            try:
                user = get(connection, found[0])
            except NotFound:
                return None, REMEMBER_S
        left_s = (found[1] - dt.datetime.now(dt.UTC)).total_seconds()
        return (None if user.disabled else user.principal()), left_s

    def _touch(self, token_id: int) -> None:
        try:
            with self._database.begin() as connection:
                tokens.touch(connection, token_id)
        except SQLAlchemyError as error:  # reading goes on when nothing can be written
            log.warning("token use not noted", error=type(error).__name__)
