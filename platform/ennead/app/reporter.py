"""The supervisor's hand in the database: parts, exported audit heads, pruned events.

A thread of its own, so that a busy database never delays a restart or a shutdown.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ennead import events
from ennead.app import parts
from ennead.app.parts import Part
from ennead.database import Database
from ennead.security import heads
from ennead.settings import Settings

REPORT_EVERY_S: Final = 4.0
_KEEP_EVENTS: Final = dt.timedelta(days=7)

log = structlog.get_logger(__name__)


class Reporter:
    """Writes what :meth:`report` was last given, at once when it is urgent, else regularly."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._node = parts.node_id(settings)
        self._current: Sequence[Part] = ()
        self._wake = threading.Event()
        self._done = False
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def report(self, current: Sequence[Part], *, urgent: bool) -> None:
        """Take the present parts."""
        self._current = current
        if urgent:
            self._wake.set()

    def stop(self) -> None:
        """Write for the last time (no parts) and end; waits a few seconds at most."""
        self._current, self._done = (), True
        self._wake.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        housekeeping_at = 0.0
        while True:
            self._try("parts", self._write_parts)
            if self._done or time.monotonic() >= housekeeping_at:
                housekeeping_at = time.monotonic() + heads.EXPORT_EVERY.total_seconds()
                self._try("housekeeping", self._housekeeping)
            if self._done:
                return
            self._wake.wait(REPORT_EVERY_S)
            self._wake.clear()

    def _write_parts(self) -> None:
        with self._database.begin() as connection:
            parts.write(connection, self._node, self._current)

    def _housekeeping(self) -> None:
        heads.export(self._settings, self._database)
        with self._database.begin() as connection:
            events.prune(connection, _KEEP_EVENTS)

    def _try(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (SQLAlchemyError, OSError) as error:
            log.error("report failed", what=what, error=type(error).__name__)
