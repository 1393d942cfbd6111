"""Models opened in this process, kept for the next job.

A Ray worker lives through many jobs; opening a network takes seconds, asking it often less. The
least recently used one is closed when there are too many, and each after its ``warm_s`` of rest.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ennead_models.predict import OpenedModel
from ennead_pipelines.device_state import note_residents
from ennead_pipelines.lanes import lane_of
from ennead_pipelines.networks.source import ModelSource

#: Models that one process keeps open.
MOST_OPEN: Final = 4


@dataclass(slots=True)
class _Warm:
    source: ModelSource
    opened: OpenedModel
    warm_s: float
    used_at: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)


class WarmModels:
    """The opened models of one process, by digest and device."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], _Warm] = OrderedDict()
        #: How many were opened so far.
        self.opened = 0

    @contextmanager
    def use(self, source: ModelSource, device: str = "cpu") -> Iterator[OpenedModel]:
        """The opened model, for one thread at a time.

        Raises
        ------
        ModelError
            It cannot be opened: no runner, no weights, or weights that do not fit.
        """
        warm = self._get(source, device)
        with warm.lock:
            try:
                yield warm.opened
            finally:
                warm.used_at = time.monotonic()
                self._note(source)

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].opened.close()

    def _get(self, source: ModelSource, device: str) -> _Warm:
        key = (source.key, device)
        with self._lock:
            self._close_rested(key)
            warm = self._open.pop(key, None)
            if warm is None:
                warm = _Warm(source, open_source(source, device), source.manifest.resources.warm_s)
                self.opened += 1
            self._open[key] = warm
            while len(self._open) > self._most:
                oldest = next(iter(self._open))
                if self._open[oldest].lock.locked():
                    break
                self._open.pop(oldest).opened.close()
            self._note(source)
            return warm

    def _note(self, source: ModelSource) -> None:
        """Tell the device page which models are open in this process, and when each was used."""
        passed = time.monotonic() - time.time()
        residents = [
            {
                "device": device,
                "model": warm.source.model.model,
                "version": warm.source.model.version,
                "title": dict(warm.source.manifest.title),
                "lane": lane_of(str(warm.source.model.state)),
                "mib": round(warm.source.manifest.weights.size_bytes / 2**20, 1),
                "used_at": warm.used_at - passed,
            }
            for (_, device), warm in list(self._open.items())
        ]
        note_residents(source.store.root.parent, residents)

    def _close_rested(self, wanted: tuple[str, str]) -> None:
        now = time.monotonic()
        for key, warm in list(self._open.items()):
            rested = now - warm.used_at > warm.warm_s
            if key != wanted and rested and not warm.lock.locked():
                self._open.pop(key).opened.close()


def open_source(source: ModelSource, device: str) -> OpenedModel:
    """Open the model, as it was installed."""
    from ennead_models.opening import open_installed

    return open_installed(source.model, source.store, device=device, threads=source.threads)


#: Those of this process.
WARM: Final = WarmModels()
