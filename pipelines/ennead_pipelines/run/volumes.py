"""Decoded series in Ray's object store: decoded once, shared by every package that chose them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ray

from ennead_pipelines.run.inputs import JobInput
from ennead_pipelines.run.requests import LoadRequest
from ennead_pipelines.run.tasks import load_task, placed


@dataclass(frozen=True, slots=True)
class _Entry:
    reference: Any
    size_bytes: int
    at_once: bool
    # Nobody has asked for it yet.
    ahead: bool = False


class VolumeCache:
    """References to decoded series, the least recently used given up first. Safe in many threads.

    Parameters
    ----------
    limit_bytes : int
        Volumes kept alive in all; a running job keeps its own besides.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, wanted: JobInput, load_at_once: Callable[[LoadRequest], Any] | None = None
    ) -> tuple[Any, bool]:
        """The reference of a volume, and whether it was already asked for.

        Parameters
        ----------
        load_at_once : callable, optional
            Decodes without waiting for a free processor, for somebody who waits; it is used unless
            the volume is there or already on this way.
        """
        with self._lock:
            entry = self._entries.pop(wanted.key, None)
            if entry and load_at_once and not entry.at_once and not _is_there(entry):
                entry = None
            shared = entry is not None and not entry.ahead
            if entry is not None and entry.ahead:
                entry = replace(entry, ahead=False)
            if entry is None:
                load = load_at_once or placed(load_task).remote
                size_bytes = wanted.request.size_bytes
                entry = _Entry(load(wanted.request), size_bytes, load_at_once is not None)
            self._entries[wanted.key] = entry
            self._make_room()
            return entry.reference, shared

    def ahead(self, wanted: JobInput) -> Any:
        """Decode a volume that will be asked for, unless it is here.

        Returns
        -------
        ray.ObjectRef or None
            Of the volume; None when it is larger than all that may be kept.
        """
        size_bytes = wanted.request.size_bytes
        with self._lock:
            if wanted.key in self._entries:
                return self._entries[wanted.key].reference
            if size_bytes > self._limit:
                return None
            reference = placed(load_task).remote(wanted.request)
            self._entries[wanted.key] = _Entry(reference, size_bytes, False, ahead=True)
            self._make_room()
            return reference

    def forget(self, key: str) -> None:
        """Give up a volume whose decoding failed, so that it is tried again."""
        with self._lock:
            self._entries.pop(key, None)

    def _make_room(self) -> None:
        while len(self._entries) > 1 and self._size() > self._limit:
            self._entries.popitem(last=False)

    def _size(self) -> int:
        return sum(entry.size_bytes for entry in self._entries.values())


def _is_there(entry: _Entry) -> bool:
    ready, _ = ray.wait([entry.reference], timeout=0, fetch_local=False)
    return bool(ready)
