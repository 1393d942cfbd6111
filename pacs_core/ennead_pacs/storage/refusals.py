"""Audit of refused objects: one record per refusal, repeats from one peer counted together."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from ennead.database import Database
from ennead.errors import EnneadError
from ennead.security import Principal, audit

_WINDOW_S = 10.0


@dataclass(slots=True)
class _Repeat:
    since: float
    count: int
    principal: Principal
    reason: str


class Refusals:
    """Writes ``object.refused``; the first at once, repeats within ten seconds as one count."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._repeats: dict[tuple[str, str, str], _Repeat] = {}

    def record(
        self, error: EnneadError, principal: Principal, source: str, *, study_uid: str, uid: str
    ) -> None:
        """One refusal."""
        key = (principal.name, principal.address, error.code)
        now = time.monotonic()
        with self._lock:
            repeat = self._repeats.get(key)
            if repeat is not None and now - repeat.since < _WINDOW_S:
                repeat.count += 1
                return
            self._repeats[key] = _Repeat(now, 0, principal, error.code)
            due = [repeat] if repeat is not None and repeat.count else []
        self._flush(due)
        detail = {"reason": error.code, "message": error.message[:400], "source": source}
        with self._database.begin() as connection:
            audit.record(
                connection,
                principal,
                "object.refused",
                study_uid=study_uid,
                object_uid=uid,
                outcome="failure",
                detail=detail,
            )

    def flush(self) -> None:
        """Write what is still counted."""
        with self._lock:
            due = [repeat for repeat in self._repeats.values() if repeat.count]
            self._repeats.clear()
        self._flush(due)

    def _flush(self, due: list[_Repeat]) -> None:
        for repeat in due:
            with self._database.begin() as connection:
                audit.record(
                    connection,
                    repeat.principal,
                    "object.refused",
                    outcome="failure",
                    detail={"reason": repeat.reason, "repeated": repeat.count},
                )
