"""Anatomy in Ray's object store: found once per series and provider, shared by every package."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from ennead.contracts import AnatomyProvider
from ennead.errors import EnneadError
from ennead_pipelines.anatomy import provider_named
from ennead_pipelines.given.given import AnatomyPlan, Given
from ennead_pipelines.run.inputs import JobInput
from ennead_pipelines.run.requests import AnatomyPart
from ennead_pipelines.run.tasks import anatomy_task, placed

#: A label map is held as bytes; a model with many labels takes two for a voxel.
_BYTES_PER_VOXEL = 2


class AnatomyChanged(Exception):
    """A provider is gone, or has another version than the job was made for."""

    def __init__(self, plan: AnatomyPlan) -> None:
        super().__init__(f"anatomy provider {plan.provider} {plan.version} changed")
        self.plan = plan


@dataclass(frozen=True, slots=True)
class _Entry:
    reference: Any
    size_bytes: int
    # No job has asked for it yet.
    ahead: bool = False


class AnatomyCache:
    """References to label maps, the least recently used given up first. Safe in many threads.

    Parameters
    ----------
    limit_bytes : int
        Label maps kept alive in all; a running job keeps its own besides.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._lock = Lock()

    def parts(
        self, given: Given, inputs: Sequence[JobInput], volumes: Mapping[str, Any]
    ) -> tuple[tuple[AnatomyPart, ...], list[Any]]:
        """What a job's anatomy is made of, and the reference of each part.

        Parameters
        ----------
        volumes : mapping
            Input name → reference of its decoded volume.

        Raises
        ------
        AnatomyChanged
            The job was made for a provider that is not here any more.
        """
        parts, references = [], []
        for each in inputs:
            for plan in given.anatomy.get(each.name, ()):
                reference, shared = self._find(each, plan, volumes[each.name])
                parts.append(AnatomyPart(each.name, plan.structures, shared))
                references.append(reference)
        return tuple(parts), references

    def ahead(self, wanted: JobInput, plans: Sequence[AnatomyPlan], volume: Any) -> None:
        """Find what a job will ask for; ``volume`` is the reference of its decoded series."""
        for plan in plans:
            with contextlib.suppress(AnatomyChanged):  # the job itself will meet it
                self._find(wanted, plan, volume, ahead=True)

    def forget(self, key: str) -> None:
        """Give up whatever was found in the series of this key, so that it is tried again."""
        with self._lock:
            for known in [k for k in self._entries if k[0] == key]:
                del self._entries[known]

    def _find(
        self, wanted: JobInput, plan: AnatomyPlan, volume: Any, ahead: bool = False
    ) -> tuple[Any, bool]:
        """Reference, and whether another job has asked for it before."""
        provider = _require_unchanged(plan)
        key = (wanted.key, plan.provider, plan.version)
        with self._lock:
            entry = self._entries.pop(key, None)
            shared = entry is not None and not entry.ahead
            if entry is None:
                z, y, x = wanted.request.grid.shape
                # Only the worker process knows the installed models: they travel themselves.
                own = provider if plan.name.startswith("model:") else None
                reference = placed(anatomy_task).remote(plan.name, volume, own)
                entry = _Entry(reference, _BYTES_PER_VOXEL * z * y * x, ahead)
            self._entries[key] = entry if ahead else replace(entry, ahead=False)
            while len(self._entries) > 1 and self._size() > self._limit:
                self._entries.popitem(last=False)
            return entry.reference, shared

    def _size(self) -> int:
        return sum(entry.size_bytes for entry in self._entries.values())


def _require_unchanged(plan: AnatomyPlan) -> AnatomyProvider:
    try:
        provider = provider_named(plan.name)
    except EnneadError:
        provider = None
    if provider is None or (provider.id, provider.version) != (plan.provider, plan.version):
        raise AnatomyChanged(plan)
    return provider
