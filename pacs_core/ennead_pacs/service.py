"""What the archive offers the launcher."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ennead.contracts import ProcessSpec

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ennead.settings import Settings


def acceptor_count(settings: Settings) -> int:
    """Acceptor processes to run: as set, or by the number of cores."""
    return settings.dicom.acceptors or min(4, max(2, os.cpu_count() or 1))


class PacsService:
    """DIMSE processes, DICOMweb routes, and the sweep before either opens."""

    name: Final = "pacs"

    def processes(self, settings: Settings) -> Sequence[ProcessSpec]:
        """The acceptors."""
        return [
            ProcessSpec("dimse", "ennead_pacs.dimse.process:serve", count=acceptor_count(settings))
        ]

    def routers(self, settings: Settings) -> Sequence[APIRouter]:
        """DICOMweb and rendering."""
        from ennead_pacs.dicomweb import routers

        return list(routers(settings))

    def startup(self, settings: Settings) -> None:
        """Put right what a crash left behind; repeatable."""
        from ennead.database import Database
        from ennead_pacs.storage.sweep import sweep

        database = Database(settings.database_url)
        try:
            sweep(settings, database)
        finally:
            database.close()


service: Final = PacsService()
