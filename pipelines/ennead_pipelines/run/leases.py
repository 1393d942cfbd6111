"""Renewing leases from a thread of its own, so that a long step does not lose a job.

The same thread notices jobs that were cancelled or superseded meanwhile.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog

from ennead_pipelines.jobs import JobQueue

log = structlog.get_logger(__name__)

#: A cancelled job is noticed after this long at most.
LOOK_SECONDS: Final = 0.5


class LeaseKeeper:
    """Renews what is held every third of the lease."""

    def __init__(self, queue: JobQueue, lease_s: float) -> None:
        self._queue = queue
        self._every_s = lease_s / 3
        self._held: set[str] = set()
        self._lost: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin renewing."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; leases then run out by themselves."""
        self._stop.set()
        self._thread.join()

    def hold(self, job_id: str) -> None:
        """Renew this job's lease from now on."""
        with self._lock:
            self._held.add(job_id)

    def release(self, job_id: str) -> None:
        """The job has ended or was given back."""
        with self._lock:
            self._held.discard(job_id)
            self._lost.discard(job_id)

    def lost(self) -> set[str]:
        """Held jobs that are no longer ours."""
        with self._lock:
            return set(self._lost)

    def _run(self) -> None:
        renewed_at = time.monotonic()
        while not self._stop.wait(min(LOOK_SECONDS, self._every_s)):
            with self._lock:
                held = set(self._held)
            due = time.monotonic() - renewed_at >= self._every_s
            try:
                gone = self._queue.renew(held) if due else self._queue.lost(held)
            except Exception:  # the database may be away for a moment; the next round tries again
                log.exception("leases not renewed")
                continue
            if due:
                renewed_at = time.monotonic()
            with self._lock:
                self._lost |= gone & self._held
