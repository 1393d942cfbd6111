"""Services of the entry-point group ``ennead.services``; a broken one never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final, TypeVar

import structlog

from ennead.contracts import Service

GROUP: Final = "ennead.services"

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service, or why it cannot be used (``error``, one sentence)."""

    name: str
    service: Service | None
    error: str = ""


def discover() -> list[FoundService]:
    """Every service installed here, by name."""
    return [_load(e.name, e.load) for e in sorted(entry_points(group=GROUP), key=lambda e: e.name)]


def _load(name: str, load: Callable[[], object]) -> FoundService:
    try:
        service = load()
        if not isinstance(service, Service):
            raise TypeError("the entry point is not a Service (name, processes, routers, startup)")
    except Exception as error:  # another room's or a third party's code: any failure is its own
        return failed(name, "cannot be loaded", error)
    return FoundService(name, service)


def attempt(found: FoundService, what: str, call: Callable[[Service], T]) -> T | FoundService:
    """``call`` on the service; when it raises, the service as broken."""
    assert found.service is not None
    try:
        return call(found.service)
    except Exception as error:
        return failed(found.name, what, error)


def failed(name: str, what: str, error: Exception) -> FoundService:
    """Log it, and keep a sentence for ``/readyz``."""
    log.error("service broken", service=name, problem=what, exc_info=error)
    return FoundService(name, None, f"{what}: {type(error).__name__}: {error}"[:300])


def usable(services: Sequence[FoundService]) -> list[FoundService]:
    """Those without an error."""
    return [s for s in services if s.service is not None]
