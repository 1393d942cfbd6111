"""Group commit: objects that finish together share one transaction.

Whoever comes first writes for everyone waiting; nobody hands work to another thread, so a single
sender pays nothing for it. On SQLite, processes queue on a file lock instead of polling for the
write lock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ennead.database import Database
from ennead.errors import Conflict, OutOfResources, UnusableObject
from ennead.events import STUDY_CHANGED
from ennead_pacs.index.parents import Parent, Parents
from ennead_pacs.index.statements import Statements
from ennead_pacs.index.tables import LOST, STORED
from ennead_pacs.storage.header import Header

_PAUSES_S: Final = (0.0, 0.3)
# A checkpoint syncs the whole database file; every few hundred objects is often enough.
_WAL_PAGES: Final = 4000


@dataclass(slots=True)
class Arrival:
    """An object whose file is durable, waiting for its row.

    ``stored`` is set by the committer: True for a new row (or a lost file that this one
    replaces), False when an identical object was there before. ``error`` is set instead when it
    cannot be indexed; ``in_doubt`` when the database did not say whether it committed.
    """

    header: Header
    row: dict[str, Any]
    stored: bool = False
    error: BaseException | None = None
    in_doubt: bool = False
    done: bool = field(default=False)


class Committer:
    """Commits arrivals; one per process, safe to use from many threads."""

    def __init__(self, database: Database, lock_file: Path) -> None:
        self._database = database
        self._statements = Statements(database.is_sqlite)
        self._parents = Parents(database.is_sqlite)
        self._queue: list[Arrival] = []
        self._queue_lock = threading.Lock()
        self._leader = threading.Lock()
        self._connection: Any = None
        self._lock_fd = -1
        if database.is_sqlite:
            lock_file.parent.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def commit(self, arrival: Arrival) -> None:
        """Return when the arrival is committed, or has its ``error``."""
        with self._queue_lock:
            self._queue.append(arrival)
        with self._leader:
            if arrival.done:
                return
            with self._queue_lock:
                batch, self._queue = self._queue, []
            try:
                self._commit_batch(batch)
            finally:
                for one in batch:
                    one.done = True

    def close(self) -> None:
        """Give the connection back."""
        with self._leader:
            self._drop_connection()
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    def _commit_batch(self, batch: list[Arrival]) -> None:
        in_doubt = False
        for pause_s in (*_PAUSES_S, None):
            try:
                self._transaction(batch)
                return
            except Exception as error:  # drivers share no base class; the answer is A700H
                in_doubt = self._roll_back() or in_doubt
                self._parents.forget()
                cause = error
            if pause_s is not None:  # trying again is safe: an arrival finds its own row
                time.sleep(pause_s)
        if len(batch) > 1 and not in_doubt:
            for one in batch:  # one bad object must not refuse its neighbours
                self._commit_batch([one])
            return
        for one in batch:
            one.error = OutOfResources(
                f"The index could not be written ({type(cause).__name__}); nothing was "
                "acknowledged. Send the object again when the database is back."
            )
            one.error.__cause__ = cause
            one.in_doubt = in_doubt

    def _transaction(self, batch: list[Arrival]) -> None:
        for one in batch:
            one.stored, one.error = False, None
        with self._write_lock():
            cursor = self._begin()
            now = self._statements.time(dt.datetime.now(dt.UTC))
            found: list[tuple[Arrival, Parent]] = []
            # One order everywhere, so that two processes never wait for each other.
            for one in sorted(batch, key=lambda a: (a.header.study_uid, a.header.series_uid)):
                try:
                    found.append((one, self._parents.resolve(cursor, one.header, now)))
                except UnusableObject as error:
                    one.error = error
            changed: dict[int, tuple[Parent, int]] = {}
            for one, parent in sorted(found, key=lambda pair: pair[0].header.instance_uid):
                self._place(cursor, one, parent, now)
                if one.stored:
                    changed[parent.series_key] = (
                        parent,
                        changed.get(parent.series_key, (0, 0))[1] + 1,
                    )
            self._publish(cursor, changed, now)
            self._connection.commit()
        self._parents.keep(parent for _, parent in found)

    def _place(self, cursor: Any, one: Arrival, parent: Parent, now: Any) -> bool:
        """Insert the row; False when there was one, with the arrival's outcome set."""
        statements = self._statements
        row = one.row | {"series_key": parent.series_key, "state": STORED, "received_at": now}
        cursor.execute(statements.insert_instance, row)
        if cursor.rowcount == 1:
            one.stored = True
            return True
        uid = one.header.instance_uid
        cursor.execute(statements.find_instance, {"instance_uid": uid})
        key, sha256, state, location, series_uid, study_uid = cursor.fetchone()
        if sha256 != row["sha256"]:
            one.error = Conflict(
                f"SOP Instance {uid} is stored with other content (series {series_uid}, study "
                f"{study_uid}); the first object is kept. Give the new one its own UID.",
                instance_uid=uid,
            )
        elif location == row["location"]:
            one.stored = True  # an attempt whose commit was in doubt had succeeded
        elif state == LOST:
            cursor.execute(statements.heal_instance, row | {"key": key})
            one.stored = True
        return False

    def _publish(self, cursor: Any, changed: dict[int, tuple[Parent, int]], now: Any) -> None:
        statements = self._statements
        per_study: dict[int, tuple[str, int, list[str]]] = {}
        for series_key in sorted(changed):
            parent, added = changed[series_key]
            cursor.execute(
                statements.count_series, {"key": series_key, "added": added, "updated_at": now}
            )
            uid, before, names = per_study.get(parent.study_key, (parent.study_uid, 0, []))
            per_study[parent.study_key] = (uid, before + added, [*names, parent.series_uid])
        for study_key in sorted(per_study):
            uid, added, names = per_study[study_key]
            cursor.execute(
                statements.count_study, {"key": study_key, "added": added, "updated_at": now}
            )
            cursor.execute(
                statements.publish,
                {
                    "kind": STUDY_CHANGED,
                    "study_uid": uid,
                    "payload": statements.document({"series": names}),
                    "created_at": now,
                },
            )

    @contextlib.contextmanager
    def _write_lock(self) -> Iterator[None]:
        if self._lock_fd < 0:
            yield
            return
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _begin(self) -> Any:
        if self._connection is None:
            self._connection = self._database.engine.raw_connection()
            if self._database.is_sqlite:
                self._connection.cursor().execute(f"pragma wal_autocheckpoint = {_WAL_PAGES}")
        cursor = self._connection.cursor()
        if self._database.is_sqlite:
            cursor.execute("begin immediate")
        return cursor

    def _roll_back(self) -> bool:
        """Whether the outcome stays unknown: the connection broke, perhaps inside the commit."""
        try:
            if self._connection is not None:
                self._connection.rollback()
            return False
        except Exception:  # the same: any driver error means that we cannot know
            return True
        finally:
            self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None
