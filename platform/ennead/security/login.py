"""Logging in: right password or not, with a brake on guessing.

A known user is locked for a while after several wrong passwords (kept in the database, so every
node knows). Addresses and unknown names are braked in memory, by the same rules, so that an answer
does not tell whether a name exists.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import deque

from sqlalchemy import select, update

from ennead.database import Database
from ennead.errors import NotAuthenticated, TooManyAttempts
from ennead.security import audit, sessions
from ennead.security.passwords import verify_password
from ennead.security.principal import Principal
from ennead.security.sessions import NewSession
from ennead.security.tables import users
from ennead.security.users import User, get
from ennead.settings import Settings

_ADDRESS_WINDOW_S = 300.0
_LONGEST_LOCK_S = 3600.0
_MOST_KEYS = 10_000


class AttemptBrake:
    """Counts failures per key in a sliding window of this process."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str, limit: int, window_s: float) -> float:
        """Seconds that ``key`` must wait; 0 when it may try."""
        with self._lock:
            kept = self._recent(key, window_s)
            return window_s - (time.monotonic() - kept[0]) if len(kept) >= limit else 0.0

    def failed(self, key: str, window_s: float) -> None:
        """Count a failure of ``key``."""
        with self._lock:
            if len(self._failures) >= _MOST_KEYS:
                self._failures.pop(next(iter(self._failures)))
            self._recent(key, window_s).append(time.monotonic())

    def _recent(self, key: str, window_s: float) -> deque[float]:
        kept = self._failures.setdefault(key, deque())
        while kept and kept[0] < time.monotonic() - window_s:
            kept.popleft()
        return kept


def log_in(
    database: Database,
    settings: Settings,
    brake: AttemptBrake,
    *,
    name: str,
    password: str,
    address: str,
) -> tuple[User, NewSession]:
    """Check a name and password, and start a session.

    Raises
    ------
    NotAuthenticated
        Wrong name or password, or a closed account; the answer does not say which.
    TooManyAttempts
        With ``retry_after_s``.
    """
    name = name.strip().lower()[:64]
    rules = settings.security
    _refuse_if(brake.wait_s(address, rules.login_failures_per_address, _ADDRESS_WINDOW_S))
    with database.read() as connection:
        row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
    if row is None:
        _refuse_if(brake.wait_s(f"name {name}", rules.login_failures, rules.lockout_s))
    elif row.locked_until:
        _refuse_if((row.locked_until - dt.datetime.now(dt.UTC)).total_seconds())
    right = verify_password(row.password_hash if row else "", password)
    if row is None or row.disabled or not right:
        brake.failed(address, _ADDRESS_WINDOW_S)
        if row is None:
            brake.failed(f"name {name}", rules.lockout_s)
        _failed(database, settings, name, address, known=row is not None)
        raise NotAuthenticated("User name or password is wrong.")
    now = dt.datetime.now(dt.UTC)
    with database.begin() as connection:
        connection.execute(
            update(users)
            .where(users.c.name == name)
            .values(failures=0, locked_until=None, last_login_at=now)
        )
        user = get(connection, name)
        session = sessions.start(connection, user.principal(address), settings.http.session_hours)
        audit.record(connection, user.principal(address), "login")
    return user, session


def _failed(
    database: Database, settings: Settings, name: str, address: str, *, known: bool
) -> None:
    rules = settings.security
    with database.begin() as connection:
        if known:
            failures = connection.execute(
                update(users)
                .where(users.c.name == name)
                .values(failures=users.c.failures + 1)
                .returning(users.c.failures)
            ).scalar_one()
            over = failures - rules.login_failures
            if over >= 0:
                wait = min(rules.lockout_s * 2.0 ** min(over, 20), _LONGEST_LOCK_S)
                until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=wait)
                connection.execute(
                    update(users).where(users.c.name == name).values(locked_until=until)
                )
        # An unknown name may be a password typed into the wrong field: it is not kept.
        who = Principal(name if known else "", "", frozenset(), "user", address)
        audit.record(connection, who, "login.failed", outcome="failure")


def _refuse_if(wait_s: float) -> None:
    if wait_s > 0:
        raise TooManyAttempts(
            f"Too many wrong passwords; wait {wait_s:.0f} s and try again.",
            retry_after_s=max(1, round(wait_s)),
        )
