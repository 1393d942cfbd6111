"""What the associations of one process share."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from ennead.database import Database
from ennead.security.authenticator import Authenticator
from ennead.settings import Settings
from ennead_pacs.ingest import Ingest
from ennead_pacs.service import acceptor_count


@dataclass(slots=True)
class Node:
    """Settings, index, ingest, and who is connected."""

    settings: Settings
    database: Database
    ingest: Ingest
    authenticator: Authenticator
    stop: threading.Event
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _per_ae: Counter[str] = field(default_factory=Counter)
    _total: int = 0

    def enter(self, calling: str) -> bool:
        """Count an association; False when a limit is reached. Limits hold per node."""
        shares = acceptor_count(self.settings)
        total = max(1, -(-self.settings.dicom.associations // shares))
        with self._lock:
            if self._total >= total or (
                self._per_ae[calling] >= self.settings.dicom.associations_per_ae
            ):
                return False
            self._total += 1
            self._per_ae[calling] += 1
            return True

    def leave(self, calling: str) -> None:
        """The association has ended."""
        with self._lock:
            self._total -= 1
            self._per_ae[calling] -= 1
            if not self._per_ae[calling]:
                del self._per_ae[calling]

    @property
    def associations(self) -> int:
        """How many are open now."""
        return self._total
