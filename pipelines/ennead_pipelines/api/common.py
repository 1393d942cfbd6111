"""What the routes share: the installed packages, and texts in the request's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Connection, Row

from ennead.app.dependencies import require
from ennead.contracts import Archive, StudyRecord
from ennead.errors import NotFound
from ennead.security import Permission, Principal
from ennead_pacs.index import find_study
from ennead_pipelines.networks.anatomy import use_models
from ennead_pipelines.networks.lifecycle import InstalledModels
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.render import render

Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]


def get_catalogue(request: Request) -> PackageCatalogue:
    """One catalogue for each web process."""
    state = request.app.state
    if not hasattr(state, "package_catalogue"):
        models = InstalledModels(state.database)
        use_models(models, state.settings)
        state.package_catalogue = PackageCatalogue(models=models)
    catalogue: PackageCatalogue = state.package_catalogue
    return catalogue


def get_archive(request: Request) -> Archive:
    """One archive for each web process."""
    from ennead_pacs.archive import open_archive

    state = request.app.state
    if not hasattr(state, "pipelines_archive"):
        state.pipelines_archive = open_archive(state.settings, state.database)
    archive: Archive = state.pipelines_archive
    return archive


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Close the archive when the web process ends."""
    try:
        yield
    finally:
        close_archive(app)


def close_archive(app: Any) -> None:
    """Give the archive's storage slots and connection back."""
    archive = getattr(app.state, "pipelines_archive", None)
    if archive is not None:
        archive.close()
        del app.state.pipelines_archive


CatalogueDependency = Annotated[PackageCatalogue, Depends(get_catalogue)]
ArchiveDependency = Annotated[Archive, Depends(get_archive)]


def folder_of(catalogue: PackageCatalogue, package_id: str) -> Path | None:
    """Folder of an installed package, for its own texts."""
    package = catalogue.get(package_id) if package_id else None
    return package.folder if package else None


def require_study(connection: Connection, study_uid: str) -> StudyRecord:
    """The study's record.

    Raises
    ------
    NotFound
    """
    record = find_study(connection, study_uid)
    if record is None:
        raise NotFound(
            f"No study has the UID {study_uid[:64]}; it may not have arrived yet.",
            uid=study_uid[:64],
        )
    return record


def moment(value: dt.datetime | None) -> str | None:
    """ISO 8601, UTC."""
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") if value else None


def text_of(row: Row[Any], language: str, folder: Path | None) -> str:
    """The text of a row with ``text_key`` and ``text_values``."""
    values: Mapping[str, Any] = row.text_values
    return render(row.text_key, language, values, folder)
