"""The routes of this room; :func:`routers` is what the web process mounts."""

from __future__ import annotations

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """All of them; drafts and codes first, since a model's id could otherwise be theirs."""
    from ennead_models.api import drafts, models

    return [drafts.router, models.router]
