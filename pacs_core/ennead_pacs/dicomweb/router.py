"""All DICOMweb routes, for the service to mount."""

from __future__ import annotations

from fastapi import APIRouter

from ennead_pacs.dicomweb import (
    frame_routes,
    metadata_routes,
    rendered_routes,
    retrieve_routes,
    search_routes,
    store_routes,
)
from ennead_pacs.dicomweb.holder import lifespan


def dicomweb_router() -> APIRouter:
    """A router with full paths under ``/dicom-web``."""
    router = APIRouter(lifespan=lifespan)
    for module in (
        search_routes,
        metadata_routes,
        frame_routes,
        rendered_routes,
        retrieve_routes,
        store_routes,
    ):
        router.include_router(module.router)
    return router
