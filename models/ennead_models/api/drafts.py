"""Models without code, in the portal: send a file, answer questions, install."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.database import Database
from ennead.errors import EnneadError, InputError, LimitExceeded
from ennead.security import Permission, Principal
from ennead.security.audit import record
from ennead.settings import Settings
from ennead_models.api.models import Agreement, principal_document, require_licence
from ennead_models.wizard.answers import parse_answers
from ennead_models.wizard.apart import run_apart
from ennead_models.wizard.codes import search_codes
from ennead_models.wizard.contract import Contract
from ennead_models.wizard.drafts import Draft, Drafts, plain_name
from ennead_models.wizard.questions import questions

router = APIRouter(prefix="/api/v1/models", tags=["models"])

Scientist = Annotated[Principal, Depends(require(Permission.MODEL_MANAGE))]
FileName = Annotated[str, Query(max_length=200)]


class GivenAnswers(BaseModel):
    """Answers by question id; what is left out keeps its suggestion."""

    model_config = ConfigDict(extra="forbid")

    answers: dict[str, Any]


@router.get("/codes")
def find_codes(
    _: Scientist,
    words: Annotated[str, Query(max_length=100)],
    limit: Annotated[int, Query(ge=1, le=50)] = 12,
) -> dict[str, Any]:
    """SNOMED CT concepts whose meaning holds every word."""
    return {
        "codes": [
            {
                "text": code.text,
                "value": code.value,
                "meaning": code.meaning,
                "category": code.category,
                "segmented": code.segmented,
            }
            for code in search_codes(words, limit)
        ]
    }


@router.post("/drafts", status_code=status.HTTP_201_CREATED)
async def create_draft(
    request: Request,
    name: FileName,
    principal: Scientist,
    settings: SettingsDependency,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Take a network's file (the request's body, streamed to disk) and read its contract."""
    drafts = Drafts(settings)
    draft = await run_in_threadpool(drafts.begin, name, principal.name)
    try:
        await _receive(request, draft.upload, settings)
        job = {"action": "read", "draft": draft.id, "name": draft.name}
        answer = await run_in_threadpool(run_apart, settings, job)
    except BaseException:
        drafts.remove(draft)
        raise
    shutil.rmtree(draft.folder / "work", ignore_errors=True)
    draft = replace(draft, contract=Contract.of(answer["contract"]))
    await run_in_threadpool(_begun, drafts, draft, principal, database)
    return _document(draft, language)


def _begun(drafts: Drafts, draft: Draft, principal: Principal, database: Database) -> None:
    with database.begin() as connection:
        drafts.save(draft)
        record(connection, principal, "model.draft", detail={"name": draft.name})


@router.get("/drafts")
def list_drafts(
    _: Scientist, settings: SettingsDependency, language: LanguageDependency
) -> dict[str, Any]:
    """Every draft, newest first."""
    return {"drafts": [_document(draft, language) for draft in Drafts(settings).every()]}


@router.get("/drafts/{draft_id}")
def read_draft(
    draft_id: str, _: Scientist, settings: SettingsDependency, language: LanguageDependency
) -> dict[str, Any]:
    """What the file says, and the questions with the answers so far."""
    return _document(Drafts(settings).get(draft_id), language)


@router.put("/drafts/{draft_id}")
def answer_draft(
    draft_id: str,
    body: GivenAnswers,
    _: Scientist,
    settings: SettingsDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """Replace the answers; what breaks a rule is refused, what is still open is listed."""
    drafts = Drafts(settings)
    draft = drafts.get(draft_id)
    assert draft.contract is not None
    parse_answers(draft.contract.suggestions, body.answers)
    draft = replace(draft, given=body.answers)
    drafts.save(draft)
    return _document(draft, language)


@router.put("/drafts/{draft_id}/sample")
async def send_sample(
    draft_id: str,
    request: Request,
    name: FileName,
    _: Scientist,
    settings: SettingsDependency,
    language: LanguageDependency,
) -> dict[str, Any]:
    """An image for the reference case: a NIfTI file, or a zip of one DICOM series."""
    drafts = Drafts(settings)
    draft = drafts.get(draft_id)
    file = draft.folder / plain_name(name)
    if file.name == "draft.json":
        raise InputError("A sample is a NIfTI file or a zip of DICOM files.")
    try:
        await _receive(request, file, settings)
        kept = await run_in_threadpool(drafts.take_sample, draft, file)
    finally:
        file.unlink(missing_ok=True)
    draft = replace(draft, sample=kept)
    drafts.save(draft)
    return _document(draft, language)


@router.post("/drafts/{draft_id}/install", status_code=status.HTTP_201_CREATED)
async def install_draft(
    draft_id: str,
    body: Agreement,
    principal: Scientist,
    settings: SettingsDependency,
) -> dict[str, Any]:
    """Make the model's folder, its card and reference case, and install it; the draft is gone."""
    drafts = Drafts(settings)
    draft = drafts.get(draft_id)
    require_licence(body, draft.name)
    job = {
        "action": "build",
        "draft": draft.id,
        "principal": principal_document(principal),
        **body.model_dump(),
    }
    answer = await run_in_threadpool(run_apart, settings, job)
    drafts.remove(draft)
    return answer


@router.delete("/drafts/{draft_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_draft(draft_id: str, _: Scientist, settings: SettingsDependency) -> Response:
    """Remove a draft with everything that was sent for it."""
    drafts = Drafts(settings)
    drafts.remove(drafts.get(draft_id))
    return Response(status_code=status.HTTP_204_NO_CONTENT)


async def _receive(request: Request, file: Path, settings: Settings) -> None:
    """The request's body to a file, never in memory.

    Raises
    ------
    LimitExceeded
        Larger than ``models.upload_limit_bytes``.
    InputError
        Empty.
    """
    limit, seen = settings.models.upload_limit_bytes, 0
    with file.open("wb") as writer:
        async for block in request.stream():
            seen += len(block)
            if seen > limit:
                raise LimitExceeded(
                    f"A model's file has at most {limit} bytes here (models.upload_limit_bytes). "
                    "Use the command line for larger ones: ennead models add FILE."
                )
            await run_in_threadpool(writer.write, block)
    if not seen:
        raise InputError("The request has no body; send the file's bytes as the body.")


def _document(draft: Draft, language: str) -> dict[str, Any]:
    assert draft.contract is not None
    try:
        asked = questions(draft.contract, draft.answers)
        problem = None
    except EnneadError as error:  # answers that an older version took
        asked, problem = [], error.message
    contract = draft.contract
    return {
        "id": draft.id,
        "name": draft.name,
        "created_at": draft.created_at,
        "created_by": draft.created_by,
        "runner": contract.runner,
        "inputs": [{"name": t.name, "dtype": t.dtype, "shape": t.shape} for t in contract.inputs],
        "outputs": [{"name": t.name, "dtype": t.dtype, "shape": t.shape} for t in contract.outputs],
        "facts": contract.facts,
        "questions": [question.document(language) for question in asked],
        "open": [question.id for question in asked if not question.answered],
        "problem": problem,
        "answers": dict(draft.given),
        "sample": draft.sample or None,
    }
