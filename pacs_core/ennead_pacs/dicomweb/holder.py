"""What DICOMweb keeps for the life of the web process."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from ennead.database import Database
from ennead.settings import Settings
from ennead_pacs.dicomweb.lookup import Places
from ennead_pacs.ingest import Ingest
from ennead_pacs.rendering.pool import close_shared_pool

#: Where DICOMweb lies.
PREFIX: Final = "/dicom-web"


class Holder:
    """Verified places, and the way in; both made when first used."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._lock = threading.Lock()
        self._ingest: Ingest | None = None
        self.places = Places(settings, database)

    @property
    def ingest(self) -> Ingest:
        """The one way in."""
        with self._lock:
            if self._ingest is None:
                self._ingest = Ingest(self._settings, self._database)
            return self._ingest

    def close(self) -> None:
        """Give storage slots back."""
        with self._lock:
            if self._ingest is not None:
                self._ingest.close()
                self._ingest = None


_lock = threading.Lock()


def holder_of(app: Any) -> Holder:
    """The holder of an application, made on first use."""
    with _lock:
        found: Holder | None = getattr(app.state, "ennead_dicomweb", None)
        if found is None:
            found = Holder(app.state.settings, app.state.database)
            app.state.ennead_dicomweb = found
        return found


async def get_places(request: Request) -> Places:
    """Stored instances by UID."""
    return holder_of(request.app).places


async def get_ingest(request: Request) -> Ingest:
    """The way in."""
    return holder_of(request.app).ingest


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Close what was opened when the application ends."""
    try:
        yield
    finally:
        found: Holder | None = getattr(app.state, "ennead_dicomweb", None)
        if found is not None:
            found.close()
            app.state.ennead_dicomweb = None
        close_shared_pool()


PlacesDependency = Annotated[Places, Depends(get_places)]
IngestDependency = Annotated[Ingest, Depends(get_ingest)]
