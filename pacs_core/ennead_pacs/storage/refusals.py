"""Audit of refusals: the first at once, repeats from one peer counted together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ennead.database import Database
from ennead.security import Principal, audit

_WINDOW_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Repeat:
    since: float
    count: int
    principal: Principal


class Refusals:
    """Writes one record per refusal; repeats within ten seconds become one count.

    A refusal that cannot be written down is logged: the peer is refused either way.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._repeats: dict[tuple[str, str, str, str], _Repeat] = {}

    def record(
        self,
        action: str,
        principal: Principal,
        reason: str,
        *,
        study_uid: str = "",
        object_uid: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """One refusal: ``object.refused``, ``association.refused``."""
        key = (action, principal.name, principal.address, reason)
        now = time.monotonic()
        with self._lock:
            repeat = self._repeats.get(key)
            if repeat is not None and now - repeat.since < _WINDOW_S:
                repeat.count += 1
                return
            due = self._due(now)
            self._repeats[key] = _Repeat(now, 0, principal)
        self._write(due)
        content = {"reason": reason} | dict(detail or {})
        self._audit(action, principal, content, study_uid=study_uid, object_uid=object_uid)

    def flush(self) -> None:
        """Write what is still counted."""
        with self._lock:
            due = self._due(float("inf"))
        self._write(due)

    def _due(self, now: float) -> list[tuple[tuple[str, str, str, str], _Repeat]]:
        due = [(k, r) for k, r in self._repeats.items() if now - r.since >= _WINDOW_S]
        for key, _ in due:
            del self._repeats[key]
        return due

    def _write(self, due: list[tuple[tuple[str, str, str, str], _Repeat]]) -> None:
        for (action, _, _, reason), repeat in due:
            if repeat.count:
                detail = {"reason": reason, "repeated": repeat.count}
                self._audit(action, repeat.principal, detail)

    def _audit(
        self,
        action: str,
        principal: Principal,
        detail: Mapping[str, Any],
        study_uid: str = "",
        object_uid: str = "",
    ) -> None:
        try:
            with self._database.begin() as connection:
                audit.record(
                    connection,
                    principal,
                    action,
                    study_uid=study_uid,
                    object_uid=object_uid,
                    outcome="failure",
                    detail=detail,
                )
        except Exception as error:  # no database, no audit; the log remains
            _log.error("%s was not audited: %s", action, type(error).__name__)
