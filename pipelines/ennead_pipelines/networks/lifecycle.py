"""Which version of which model runs, in which lane, for whom: read from the model registry."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final

from sqlalchemy import func, select

from ennead.database import Database
from ennead_models.records import installed
from ennead_models.tables import model_events
from ennead_pipelines.networks.as_package import ModelPackage, as_package

#: How long a change of the registry may go unnoticed by a process.
LOOK_SECONDS: Final = 0.5


class InstalledModels:
    """The installed models as packages, read again when the registry's history has grown.

    Every change of the registry adds a line to ``model_events`` in its transaction, so that one
    small question tells whether anything changed.
    """

    def __init__(self, database: Database, seconds: float = LOOK_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._lock = Lock()
        self._at = float("-inf")
        self._newest = -1
        self._found: tuple[ModelPackage, ...] = ()

    def __call__(self) -> tuple[ModelPackage, ...]:
        """Every installed version, by id and version; retired ones finish what waits for them."""
        with self._lock:
            if time.monotonic() - self._at > self._seconds:
                self._look()
                self._at = time.monotonic()
            return self._found

    def _look(self) -> None:
        with self._database.read() as connection:
            newest = connection.execute(select(func.max(model_events.c.id))).scalar() or 0
            if newest != self._newest:
                self._found = tuple(as_package(model) for model in installed(connection))
                self._newest = newest
