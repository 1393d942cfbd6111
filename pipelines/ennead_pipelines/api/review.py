"""Accept, edit, reject: each writes a verified successor report."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.security import Permission, Principal
from ennead_pipelines.api.common import (
    ArchiveDependency,
    CatalogueDependency,
    folder_of,
    lifespan,
)
from ennead_pipelines.api.documents import finding_item, finding_rows, last_decisions
from ennead_pipelines.jobs.states import FindingState
from ennead_pipelines.tables import findings

router = APIRouter(prefix="/api/v1/findings", tags=["findings"], lifespan=lifespan)

Reviewer = Annotated[Principal, Depends(require(Permission.FINDING_REVIEW))]


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    revision: int | None = None
    """The finding's revision that the reader saw."""


class Acceptance(_Decision):
    """The finding is right as it is."""

    comment: str = Field("", max_length=2000)


class Edit(_Decision):
    """The finding is right, its values are not."""

    values: dict[str, float] = Field(min_length=1)
    reason: str = Field("", max_length=2000)
    comment: str = Field("", max_length=2000)


class Rejection(_Decision):
    """The finding is wrong; ``reason`` is one of the coded reasons."""

    reason: str = Field(max_length=64)
    comment: str = Field("", max_length=2000)


class _Desk:
    """What a decision needs, gathered by FastAPI."""

    def __init__(
        self,
        principal: Reviewer,
        database: DatabaseDependency,
        settings: SettingsDependency,
        archive: ArchiveDependency,
        catalogue: CatalogueDependency,
        language: LanguageDependency,
    ) -> None:
        self.principal = principal
        self.database = database
        self.settings = settings
        self.archive = archive
        self.catalogue = catalogue
        self.language = language

    def decide(self, finding_id: str, state: FindingState, **said: Any) -> dict[str, Any]:
        """Decide, and answer with the finding as it now is."""
        from ennead_pipelines.reviewing import Verdict, decide

        decide(
            self.database,
            self.archive,
            self.settings.portal.site_name,
            self.principal,
            finding_id,
            Verdict(state, **said),
        )
        with self.database.read() as connection:
            row = finding_rows(connection, findings.c.id == finding_id)[0]
            decision = last_decisions(connection, [finding_id]).get(finding_id)
        folder = folder_of(self.catalogue, row.package)
        return finding_item(row, decision, self.language, folder)


Desk = Annotated[_Desk, Depends(_Desk)]


@router.post("/{finding_id}/accept")
def accept(finding_id: str, desk: Desk, body: Acceptance | None = None) -> dict[str, Any]:
    """Accept the finding as it is."""
    said = body or Acceptance()
    return desk.decide(
        finding_id, FindingState.ACCEPTED, comment=said.comment, revision=said.revision
    )


@router.post("/{finding_id}/edit")
def edit(finding_id: str, body: Edit, desk: Desk) -> dict[str, Any]:
    """Replace values by the reader's own; the AI's are kept beside them."""
    return desk.decide(
        finding_id,
        FindingState.EDITED,
        values=dict(body.values),
        reason=body.reason,
        comment=body.comment,
        revision=body.revision,
    )


@router.post("/{finding_id}/reject")
def reject(finding_id: str, body: Rejection, desk: Desk) -> dict[str, Any]:
    """Reject the finding with a coded reason."""
    return desk.decide(
        finding_id,
        FindingState.REJECTED,
        reason=body.reason,
        comment=body.comment,
        revision=body.revision,
    )
