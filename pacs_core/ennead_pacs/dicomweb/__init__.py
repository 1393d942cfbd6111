"""DICOMweb under ``/dicom-web``: QIDO-RS, WADO-RS and STOW-RS (PS3.18 §10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ennead.settings import Settings


def routers(settings: Settings) -> Sequence[APIRouter]:
    """Routes to mount, with their full paths; settings are read per request."""
    from ennead_pacs.dicomweb.router import dicomweb_router

    del settings
    return [dicomweb_router()]
