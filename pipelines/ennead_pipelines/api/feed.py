"""One reader of the database for all open pages of a web process.

It runs while somebody listens, looks twice a second, and hands every listener the same messages.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection, select

from ennead import events
from ennead.database import Database
from ennead.security import Principal
from ennead_pipelines.jobs.overview import waiting_count
from ennead_pipelines.jobs.states import JobState, now
from ennead_pipelines.lanes import Lane, Sight, sight_of
from ennead_pipelines.tables import findings, jobs

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
#: A page that reads slower than this many messages is dropped; its browser connects again.
BACKLOG: Final = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """An event for pages: ``job``, ``study``, ``finding`` or ``queue``; texts are still keys.

    Parameters
    ----------
    about : (str, str, str) or None
        Lane, package and version of the job or finding: a page hears of it when its reader may
        see it. None is for everybody.
    aside : bool
        Not for pages: between systems (:mod:`ennead_pipelines.ups`).
    """

    kind: str
    data: Mapping[str, Any]
    about: tuple[str, str, str] | None = None
    aside: bool = False


class Listener:
    """One open page and the person before it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, principal: Principal) -> None:
        self.principal = principal
        self._loop = loop
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue(BACKLOG)

    def offer(self, message: Message) -> None:
        """Hand a message over from the polling thread."""
        self._loop.call_soon_threadsafe(self._put, message)

    async def next(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time.

        Raises
        ------
        ConnectionError
            The page fell too far behind.
        """
        try:
            message = await asyncio.wait_for(self._queue.get(), timeout_s)
        except TimeoutError:
            return None
        if message is None:
            raise ConnectionError("the page reads too slowly")
        return message

    def _put(self, message: Message) -> None:
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(None)
        else:
            self._queue.put_nowait(message)


class Feed:
    """Listeners and the thread that serves them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._thread: threading.Thread | None = None

    def subscribe(self, listener: Listener) -> None:
        """Add a page; the first one starts the thread."""
        with self._lock:
            self._listeners.add(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()

    def unsubscribe(self, listener: Listener) -> None:
        """Remove a page; the thread ends after the last one."""
        with self._lock:
            self._listeners.discard(listener)

    def _run(self) -> None:
        reader = _Reader(self._database)
        pause = threading.Event()
        while True:
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
            try:
                messages = reader.read()
            except Exception:  # the database may be away for a moment; pages stay open
                log.exception("events not read")
                messages = []
            with self._lock:
                listeners = list(self._listeners)
            for listener in listeners:
                self._offer(listener, messages)
            pause.wait(POLL_SECONDS)

    def _offer(self, listener: Listener, messages: Sequence[Message]) -> None:
        """Hand over what this page's reader may see."""
        for message in self._seen(listener.principal, messages):
            try:
                listener.offer(message)
            except RuntimeError:  # its event loop has closed
                self.unsubscribe(listener)
                return

    def _seen(self, principal: Principal, messages: Sequence[Message]) -> Sequence[Message]:
        if all(m.about is None or m.about[0] == Lane.ACTIVE for m in messages):
            return messages
        try:
            with self._database.read() as connection:
                sight = sight_of(connection, principal)
        except Exception:  # the database may be away for a moment; what is held stays unseen
            log.exception("lanes not read")
            sight = Sight()
        return [m for m in messages if m.about is None or sight.sees(*m.about)]


class _Reader:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._position: tuple[int, int] | None = None
        self._since = now()
        self._counts: dict[str, int] = {}

    def read(self) -> list[Message]:
        """What happened since the last call; nothing at the first."""
        with self._database.read() as connection:
            if self._position is None:
                self._position = events.newest(connection)
                return []
            found = events.after(connection, self._position)
            if found:
                self._position = (found[-1].transaction_id, found[-1].id)
            messages = [m for event in found if (m := _message(connection, event))]
            return messages + self._progress(connection) + self._queue(connection)

    def _queue(self, connection: Connection) -> list[Message]:
        """How many run and wait, when that changed."""
        counts = waiting_count(connection, jobs.c.lane == Lane.ACTIVE)
        if counts == self._counts:
            return []
        self._counts = counts
        return [Message("queue", counts)]

    def _progress(self, connection: Connection) -> list[Message]:
        """Running jobs that moved; their progress is not in the outbox."""
        rows = connection.execute(
            select(jobs).where(jobs.c.state == JobState.RUNNING, jobs.c.updated_at > self._since)
        ).all()
        times: list[dt.datetime] = [self._since, *(row.updated_at for row in rows)]
        self._since = max(times)
        return [_job_message(row) for row in rows]


def _message(connection: Connection, event: events.Event) -> Message | None:
    study = {"study_uid": event.study_uid}
    if event.kind == events.STUDY_CHANGED:
        return Message("study", study)
    if event.kind == events.FINDING_REVIEWED:
        finding = event.payload["finding"]
        row = connection.execute(select(findings).where(findings.c.id == finding)).one_or_none()
        state = row.state if row else None
        return Message(
            "finding", {**study, "finding": finding, "state": state}, _about(row) if row else None
        )
    if event.kind in (events.SUBSCRIBED, events.CANCEL_REQUESTED):
        return Message(event.kind.removeprefix("workitem."), event.payload, aside=True)
    if event.kind == events.JOB_CHANGED:
        row = connection.execute(
            select(jobs).where(jobs.c.id == event.payload["job"])
        ).one_or_none()
        return _job_message(row) if row else None
    return None


def _job_message(row: Any) -> Message:
    """The job as it stands: an event's older state beside newer progress would contradict it."""
    return Message(
        "job",
        {
            "study_uid": row.study_uid,
            "job": row.id,
            "package": row.package,
            "state": row.state,
            "fraction": row.fraction,
            "step": row.step,
            "lane": row.lane,
            "priority": row.priority,
        },
        _about(row),
    )


def _about(row: Any) -> tuple[str, str, str]:
    return row.lane, row.package, row.version
