"""Interactive functions: which fit a study, getting ready, and calling one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool

from ennead.app.dependencies import DatabaseDependency, LanguageDependency, require
from ennead.app.problems import problem
from ennead.contracts import Archive
from ennead.database import Database
from ennead.errors import NoAnswerInTime
from ennead.findings import Refusal, RefusalCode
from ennead.identifiers import SeriesUID, StudyUID
from ennead.security import Permission, Principal
from ennead_pipelines.api.common import (
    ArchiveDependency,
    CatalogueDependency,
    Reader,
    folder_of,
    require_study,
)
from ennead_pipelines.api.documents import finding_item, finding_rows, last_decisions
from ennead_pipelines.api.function_items import function_item
from ennead_pipelines.api.jobs import refusal_item, refusals_by_job
from ennead_pipelines.functions.answer import refusal_document
from ennead_pipelines.functions.ask import (
    LOOK_SECONDS,
    FunctionOf,
    Refused,
    Waiting,
    find_function,
    make_call,
    verdict_on,
    wanted_series,
)
from ennead_pipelines.functions.prepare import ask
from ennead_pipelines.functions.series import ReadSeries, SeriesReader
from ennead_pipelines.jobs import JobState
from ennead_pipelines.packages import PackageCatalogue, PackageState, states
from ennead_pipelines.render import render, title
from ennead_pipelines.tables import findings

router = APIRouter(prefix="/api/v1/studies", tags=["functions"])

Reviewer = Annotated[Principal, Depends(require(Permission.FINDING_REVIEW))]


class CallBody(BaseModel):
    """What a function is called with; docs/reference/functions-api.md shows each kind."""

    model_config = ConfigDict(extra="forbid")

    series_uid: str = Field(pattern=r"^[0-9.]{1,64}$")
    inputs: dict[str, Any] = Field(default_factory=dict, max_length=32)


class PrepareBody(BaseModel):
    """The series that a viewer shows."""

    model_config = ConfigDict(extra="forbid")

    series_uid: str = Field(pattern=r"^[0-9.]{1,64}$")


class _Desk:
    """What these routes need, gathered by FastAPI."""

    def __init__(
        self,
        request: Request,
        database: DatabaseDependency,
        archive: ArchiveDependency,
        catalogue: CatalogueDependency,
        language: LanguageDependency,
    ) -> None:
        self.database: Database = database
        self.archive: Archive = archive
        self.catalogue: PackageCatalogue = catalogue
        self.language: str = language
        state = request.app.state
        if not hasattr(state, "function_series"):
            state.function_series = SeriesReader(archive)
        self.reader: SeriesReader = state.function_series

    def states(self, study_uid: str) -> list[PackageState]:
        """Packages and their switches; raises NotFound for an unknown study."""
        with self.database.read() as connection:
            require_study(connection, study_uid)
            return states(connection, self.catalogue.all())

    def functions(self, study_uid: str) -> list[FunctionOf]:
        """Every function of an enabled package."""
        return [
            FunctionOf(manifest, state.package.digest, rule)
            for state in self.states(study_uid)
            if state.enabled and (manifest := state.package.manifest)
            for rule in manifest.function
        ]


Desk = Annotated[_Desk, Depends(_Desk)]


@router.get("/{study_uid}/functions")
def list_functions(study_uid: str, _: Reader, desk: Desk) -> dict[str, Any]:
    """Which functions there are, and on which series of the study each can be used, or why not."""
    functions = desk.functions(study_uid)
    wanted = {
        modality
        for function in functions
        if (rule := function.manifest.input_rule(function.rule.series))
        for modality in rule.modality
    }
    series = desk.reader.study(StudyUID(study_uid), wanted) if wanted else []
    return {
        "study_uid": study_uid,
        "functions": [
            function_item(function.rule, desk.language)
            | {
                "package": function.manifest.id,
                "package_title": title(function.manifest.title, desk.language),
                "candidates": [_candidate(function, read, desk) for read in series],
            }
            for function in functions
        ],
    }


@router.post("/{study_uid}/functions/prepare", status_code=202)
def prepare(study_uid: str, body: PrepareBody, _: Reviewer, desk: Desk) -> dict[str, bool]:
    """Have the series decoded now, so that the first call is as fast as the next."""
    read = desk.reader.one(StudyUID(study_uid), SeriesUID(body.series_uid))
    fitting = next((f for f in desk.functions(study_uid) if not verdict_on(f, read).refused), None)
    if fitting is not None:
        with desk.database.begin() as connection:
            ask(connection, [wanted_series(fitting, StudyUID(study_uid), read)])
    return {"preparing": fitting is not None}


@router.post("/{study_uid}/functions/{package}/{function}")
async def call_function(
    study_uid: str, package: str, function: str, body: CallBody, principal: Reviewer, desk: Desk
) -> Response:
    """Run a function and answer with its findings and refusals; SEG and SR follow."""
    begun = time.perf_counter()
    try:
        found, job_id = await run_in_threadpool(
            _begin, study_uid, package, function, body, principal, desk
        )
    except Refused as error:
        return _refused(error, package, desk)
    waiting = Waiting(desk.database, job_id, found.rule.timeout_s)
    while (row := await run_in_threadpool(waiting.look)) is None:
        if waiting.is_late:
            return _late(job_id, waiting.seconds, desk.language)
        await asyncio.sleep(LOOK_SECONDS)
    if row.reason_key == "functions.failed.away":
        return _away(job_id, row.reason_values, desk.language)
    answer = await run_in_threadpool(_answer, row, desk)
    return JSONResponse(answer | {"duration_ms": round(1000 * (time.perf_counter() - begun))})


def _begin(
    study_uid: str, package: str, function: str, body: CallBody, principal: Principal, desk: _Desk
) -> tuple[FunctionOf, str]:
    found = find_function(desk.states(study_uid), package, function)
    job_id = make_call(
        desk.database,
        desk.archive,
        desk.reader,
        found,
        StudyUID(study_uid),
        SeriesUID(body.series_uid),
        body.inputs,
        principal,
    )
    return found, job_id


def _candidate(function: FunctionOf, read: ReadSeries, desk: _Desk) -> dict[str, Any]:
    verdict = verdict_on(function, read)
    folder = folder_of(desk.catalogue, function.manifest.id)
    reasons = [render(r.text_key, desk.language, r.values, folder) for r in verdict.refused]
    record = read.candidate.record
    return {
        "series_uid": read.uid,
        "number": record.number,
        "description": record.description,
        "fits": not verdict.refused,
        "reasons": list(dict.fromkeys(reasons)),
    }


def _answer(row: Row[Any], desk: _Desk) -> dict[str, Any]:
    """Findings and refusals of a job that has an answer, stored or about to be."""
    folder = folder_of(desk.catalogue, row.package)
    with desk.database.read() as connection:
        refused: list[Any] = list(refusals_by_job(connection, [row.id]).get(row.id, []))
    if row.state == JobState.RUNNING:
        items = _fresh(row, desk.language, folder)
        # Those of the run may have been written since the row was read: the answer has them.
        refused = [each for each in refused if each.stage == "select"] + row.answer["refusals"]
        state = "storing" if items else str(JobState.REFUSED)
    else:
        items, state = _stored(row, desk, folder), row.state
        if state == JobState.FAILED and not refused:
            refused = [_reason(row)]
    return {
        "job": row.id,
        "state": state,
        "findings": items,
        "refusals": [
            refusal_item(_as_row(each), row.package, desk.language, desk.catalogue)
            for each in refused
        ],
    }


def _fresh(row: Row[Any], language: str, folder: Path | None) -> list[dict[str, Any]]:
    common = {
        "package": row.package,
        "version": row.version,
        "lane": row.lane,
        "state": "proposed",
        "revision": 0,
        "current_sr_uid": row.answer["sr_instance_uid"],
    }
    rows: list[Any] = [SimpleNamespace(**common, **each) for each in row.answer["findings"]]
    return [finding_item(each, None, language, folder) for each in rows]


def _stored(row: Row[Any], desk: _Desk, folder: Path | None) -> list[dict[str, Any]]:
    with desk.database.read() as connection:
        rows = finding_rows(connection, findings.c.job_id == row.id)
        decided = last_decisions(connection, [each.id for each in rows])
    return [finding_item(each, decided.get(each.id), desk.language, folder) for each in rows]


def _reason(row: Row[Any]) -> dict[str, Any]:
    """Why a job failed whose package is not there to say more."""
    refusal = Refusal(RefusalCode.FAILED, "", row.reason_key, row.reason_values)
    return refusal_document(refusal, None)


def _as_row(refusal: Any) -> Any:
    return SimpleNamespace(**refusal) if isinstance(refusal, dict) else refusal


def _refused(error: Refused, package: str, desk: _Desk) -> Response:
    folder = folder_of(desk.catalogue, package)
    broken = [
        {
            "input": each.input or None,
            "rule": each.text_key.rpartition(".")[2],
            "message": render(each.text_key, desk.language, each.values, folder),
        }
        for each in error.problems
    ]
    detail = " ".join(str(each["message"]) for each in broken[:5])
    return problem(422, error.code, detail, language=desk.language, errors=broken)


def _away(job_id: str, values: Mapping[str, Any], language: str) -> Response:
    detail = render("functions.failed.away", language, values)
    headers = {"Retry-After": "10"}
    return problem(504, NoAnswerInTime.code, detail, language=language, headers=headers, job=job_id)


def _late(job_id: str, seconds: float, language: str) -> Response:
    detail = render("functions.failed.late", language, {"seconds": round(seconds)})
    return problem(504, NoAnswerInTime.code, detail, language=language, job=job_id)
