"""A finding as a picture, for cards and facts pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy import select

from ennead.app.dependencies import DatabaseDependency
from ennead.errors import NotFound
from ennead_pipelines.api.common import ArchiveDependency, Reader
from ennead_pipelines.lanes import sight_of
from ennead_pipelines.tables import findings

router = APIRouter(prefix="/api/v1/findings", tags=["findings"])


@router.get("/{finding_id}/preview.png", response_class=Response)
def read_preview(
    finding_id: str,
    principal: Reader,
    database: DatabaseDependency,
    archive: ArchiveDependency,
    width: Annotated[int, Query(ge=64, le=1024)] = 320,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The key image with the finding's outline, as PNG."""
    from ennead_pipelines.networks.preview import etag, preview

    with database.read() as connection:
        row = connection.execute(
            select(findings).where(
                findings.c.id == finding_id, sight_of(connection, principal).where(findings)
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"No finding has the id {finding_id[:40]!r}.")
        tag = etag(row, width)
        headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
        if tag in if_none_match:
            return Response(status_code=304, headers=headers)
        picture = preview(connection, archive, row, width)
    return Response(picture, media_type="image/png", headers=headers)
