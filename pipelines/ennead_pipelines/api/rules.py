"""The rules of the site: reading, replacing, undoing, and trying them on stored studies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.app.problems import problem, status_of
from ennead.errors import RuleInvalid
from ennead.security import Permission, Principal
from ennead.security.audit import record
from ennead_pipelines.api.common import ArchiveDependency, CatalogueDependency, moment
from ennead_pipelines.packages import states
from ennead_pipelines.site.cohort import LIMIT, cohort
from ennead_pipelines.site.options import rule_options
from ennead_pipelines.site.problems import parse_rules, problems_of
from ennead_pipelines.site.propose import propose
from ennead_pipelines.site.replay import replay
from ennead_pipelines.site.replay_json import replay_json
from ennead_pipelines.site.rules import Rule, schema
from ennead_pipelines.site.say import rule_text
from ennead_pipelines.site.store import (
    Revision,
    RulesDifference,
    current_rules,
    history,
    load_control,
    read_revision,
    replace_rules,
    undo,
)
from ennead_pipelines.site.validate import check_rules

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

Manager = Annotated[Principal, Depends(require(Permission.PACKAGE_MANAGE))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class NewRules(_Body):
    """A whole list to put in force."""

    revision: int = Field(ge=0)
    """The revision that the caller has read."""
    rules: list[dict[str, Any]]
    """In their order; ``text`` is ignored."""
    comment: str = Field("", max_length=500)
    """Why; kept with the revision."""


class Undo(_Body):
    """Which list to bring back."""

    revision: int = Field(ge=0)
    """The revision that the caller has read."""
    to: int | None = Field(None, ge=0)
    """The revision to bring back; left out, the one before the last change."""


class RulesTest(_Body):
    """Which studies, and what to try in place of what is in force."""

    rules: list[dict[str, Any]] | None = None
    thresholds: dict[str, dict[str, float]] | None = None
    packages: list[str] | None = None
    studies: list[str] = Field(default=[], max_length=LIMIT)
    last: int | None = Field(None, ge=1, le=LIMIT)
    yesterday: bool = False
    date_from: dt.date | None = None
    date_to: dt.date | None = None
    limit: int | None = Field(None, ge=1, le=LIMIT)
    at: AwareDatetime | None = None


@router.get("")
def read_rules(
    _: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """The rules in force, in their order."""
    with database.read() as connection:
        current = current_rules(connection)
    return _list(current, settings.portal.time_zone, language)


@router.put("", response_model=None)
def write_rules(
    body: NewRules,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any] | Response:
    """Put a whole list in force. A wrong one is refused, and nothing changes."""
    try:
        rules = parse_rules(_without_text(body.rules))
        check_rules(rules, catalogue.all())
    except RuleInvalid as error:
        return _refused(error, language)
    with database.begin() as connection:
        made = replace_rules(connection, rules, body.revision, principal, body.comment)
    return _list(made, settings.portal.time_zone, language)


@router.get("/history")
def read_history(
    _: Manager, database: DatabaseDependency, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> dict[str, Any]:
    """Revisions, newest first, each with what it changed."""
    with database.read() as connection:
        found = history(connection, limit)
    return {"revisions": [_entry(revision, changed) for revision, changed in found]}


@router.get("/history/{revision}")
def read_old_rules(
    revision: int,
    _: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """One revision with its rules."""
    with database.read() as connection:
        found = read_revision(connection, revision)
    return _list(found, settings.portal.time_zone, language)


@router.post("/undo")
def undo_rules(
    body: Undo,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Bring back an earlier list as a new revision."""
    with database.begin() as connection:
        made = undo(connection, body.revision, principal, body.to)
    return _list(made, settings.portal.time_zone, language)


@router.get("/options")
def read_options(
    _: Manager,
    database: DatabaseDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
) -> dict[str, Any]:
    """What a rule may say here."""
    with database.read() as connection:
        return rule_options(connection, catalogue.all(), language)


@router.get("/schema")
def read_schema(_: Manager) -> JSONResponse:
    """JSON schema of a list of rules."""
    return JSONResponse(schema())


@router.post("/test", response_model=None)
def test_rules(
    body: RulesTest,
    principal: Manager,
    database: DatabaseDependency,
    settings: SettingsDependency,
    language: LanguageDependency,
    catalogue: CatalogueDependency,
    archive: ArchiveDependency,
) -> dict[str, Any] | Response:
    """What would happen to stored studies, and what that changes; nothing runs."""
    zone = settings.portal.zone
    wanted = cohort(
        zone,
        studies=body.studies,
        last=body.last,
        yesterday=body.yesterday,
        date_from=body.date_from,
        date_to=body.date_to,
        limit=body.limit,
    )
    with database.read() as connection:
        control = load_control(connection, zone)
        known = states(connection, catalogue.all())
    try:
        rules = None if body.rules is None else parse_rules(_without_text(body.rules))
        proposal = propose(known, control, rules, body.thresholds, body.packages)
    except RuleInvalid as error:
        return _refused(error, language)
    made = replay(database, archive, proposal, wanted, body.at)
    proposed = {
        "rules": body.rules is not None,
        "thresholds": body.thresholds is not None,
        "packages": body.packages is not None,
    }
    with database.begin() as connection:
        detail = {"studies": len(made.studies), "proposed": proposed}
        record(connection, principal, "rules.tested", detail=detail)
    return {"proposed": proposed} | replay_json(made, language)


def _without_text(rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in rule.items() if key != "text"} for rule in rules]


def _list(revision: Revision, time_zone: str, language: str) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "changed_at": moment(revision.at),
        "changed_by": revision.by,
        "comment": revision.comment,
        "time_zone": time_zone,
        "rules": [rule.as_json() | {"text": rule_text(rule, language)} for rule in revision.rules],
    }


def _entry(revision: Revision, changed: RulesDifference) -> dict[str, Any]:
    def names(rules: Sequence[Rule]) -> list[str]:
        return [rule.name for rule in rules]

    return {
        "revision": revision.number,
        "at": moment(revision.at),
        "by": revision.by,
        "comment": revision.comment,
        "restored": revision.restored,
        "rules": len(revision.rules),
        "added": names(changed.added),
        "removed": names(changed.removed),
        "changed": names([new for _, new in changed.changed]),
        "reordered": changed.reordered,
    }


def _refused(error: RuleInvalid, language: str) -> Response:
    problems = problems_of(error)
    errors: list[dict[str, Any]] = [
        {"position": p.position, "rule": p.rule, "where": p.where, "message": p.text(language)}
        for p in problems
    ]
    detail = " ".join(each["message"] for each in errors) or error.message
    return problem(status_of(error), error.code, detail, language=language, errors=errors)
