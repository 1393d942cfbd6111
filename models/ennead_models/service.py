"""What this room offers the launcher. Importing it loads neither torch nor onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ennead.contracts import ProcessSpec

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ennead.settings import Settings


class ModelsService:
    """The routes of the model registry."""

    name = "models"

    def processes(self, settings: Settings) -> Sequence[ProcessSpec]:
        """None: models run inside the pipelines' workers."""
        del settings
        return []

    def routers(self, settings: Settings) -> Sequence[APIRouter]:
        """The API of this room."""
        del settings
        from ennead_models.api import routers

        return routers()

    def startup(self, settings: Settings) -> None:
        """Nothing to prepare."""
        del settings


service = ModelsService()
