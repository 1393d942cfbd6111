"""Decoded series in Ray's object store: decoded once, shared by every package that chose them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from ennead_pipelines.run.inputs import JobInput
from ennead_pipelines.run.tasks import load_task


@dataclass(frozen=True, slots=True)
class _Entry:
    reference: Any
    size_bytes: int


class VolumeCache:
    """References to decoded series, the least recently used given up first.

    Parameters
    ----------
    limit_bytes : int
        Volumes kept alive in all; a running job keeps its own besides.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, wanted: JobInput) -> tuple[Any, bool]:
        """The reference of a volume, and whether it was already asked for."""
        entry = self._entries.pop(wanted.key, None)
        shared = entry is not None
        if entry is None:
            entry = _Entry(load_task.remote(wanted.request), wanted.request.size_bytes)
        self._entries[wanted.key] = entry
        while len(self._entries) > 1 and self._size() > self._limit:
            self._entries.popitem(last=False)
        return entry.reference, shared

    def forget(self, key: str) -> None:
        """Give up a volume whose decoding failed, so that it is tried again."""
        self._entries.pop(key, None)

    def _size(self) -> int:
        return sum(entry.size_bytes for entry in self._entries.values())
