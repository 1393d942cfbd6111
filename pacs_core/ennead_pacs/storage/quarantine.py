"""Objects that were refused, kept aside for an administrator.

Never indexed, never counted as stored, never acknowledged. One ``.dcm`` with what arrived and one
``.json`` with why; the folder is closed to other users and limited in size.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

_RECOUNT_S = 60.0


class Quarantine:
    """The folder ``quarantine`` in the home."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._used = 0
        self._counted_at = -_RECOUNT_S

    def take(self, file: Path, size: int, reason: dict[str, Any]) -> bool:
        """Move ``file`` here with its reason; False when the limit leaves no room for it."""
        with self._lock:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if time.monotonic() - self._counted_at > _RECOUNT_S:
                self._used = sum(entry.stat().st_size for entry in os.scandir(self.folder))
                self._counted_at = time.monotonic()
            if self._used + size > self._limit:
                return False
            self._used += size
        note = {"at": dt.datetime.now(dt.UTC).isoformat(), "size_bytes": size} | reason
        target = self.folder / file.name
        target.with_suffix(".json").write_text(json.dumps(note, indent=1, sort_keys=True))
        with contextlib.suppress(OSError):
            file.chmod(0o600)
        os.replace(file, target)
        return True
