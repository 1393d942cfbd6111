"""Who looked at what, once an hour per person and study (hostile inputs §6)."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from ennead.database import Database
from ennead.errors import AuditUnavailable
from ennead.security import Principal, audit

_log = logging.getLogger(__name__)
_AGAIN_S: Final = 3600.0
_HELD: Final = 50_000
_lock = threading.Lock()
_seen: dict[tuple[int, str, str, str], float] = {}


def note_access(database: Database, principal: Principal, study_uid: str, action: str) -> None:
    """Write ``action`` on the study into the audit trail, unless this person's is fresh there.

    Viewing goes on when the trail cannot be written; the failure is logged.
    """
    key = (id(database), principal.name, study_uid, action)
    now = time.monotonic()
    with _lock:
        if now - _seen.get(key, -_AGAIN_S) < _AGAIN_S:
            return
        if len(_seen) >= _HELD:
            _seen.clear()
        _seen[key] = now
    try:
        with database.begin() as connection:
            audit.record(connection, principal, action, study_uid=study_uid)
    except AuditUnavailable:
        with _lock:
            _seen.pop(key, None)
        _log.error("access to a study could not be audited: study %s", study_uid)
