"""What this room offers the launcher. Importing it loads neither Ray nor pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ennead.contracts import ProcessSpec

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ennead.settings import Settings


class PipelinesService:
    """The worker process and the routes of studies, jobs, findings and packages."""

    name = "pipelines"

    def processes(self, settings: Settings) -> Sequence[ProcessSpec]:
        """One worker a machine; Ray spreads its jobs over the processors."""
        del settings
        return [ProcessSpec("worker", "ennead_pipelines.worker:run")]

    def routers(self, settings: Settings) -> Sequence[APIRouter]:
        """The API of this room."""
        del settings
        from ennead_pipelines.api import routers
        from ennead_pipelines.ups import routes, subscriber_routes

        return [*routers(), subscriber_routes.router, routes.router]

    def startup(self, settings: Settings) -> None:
        """Give new packages their switch: on in a fresh instance, off when they came later."""
        from ennead.database import Database
        from ennead.plugins import discover_packages
        from ennead_pipelines.packages import introduce

        database = Database(settings.database_url)
        try:
            with database.begin() as connection:
                introduce(connection, discover_packages())
        finally:
            database.close()


service = PipelinesService()
