"""STOW-RS (PS3.18 §10.5; IHE RAD-108)."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    require,
)
from ennead.app.problems import of_error
from ennead.database import Database
from ennead.errors import EnneadError, InputError, LimitExceeded, UnsupportedMedia
from ennead.identifiers import check_uid
from ennead.security import Permission, Principal, audit
from ennead.settings import Settings
from ennead_pacs.dicomweb.accept import DICOM, JSON
from ennead_pacs.dicomweb.holder import PREFIX, IngestDependency
from ennead_pacs.dicomweb.multipart import MultipartParser, boundary_of
from ennead_pacs.dicomweb.store import PartsToIngest
from ennead_pacs.dicomweb.store_answer import Outcome

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
Writer = Annotated[Principal, Depends(require(Permission.STUDY_WRITE))]

#: Blocks handed to the storing thread; one is filled while the one before is stored.
_BLOCK: Final = 1024 * 1024


@router.post("/studies")
async def store_studies(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    ingest: IngestDependency,
    language: LanguageDependency,
    principal: Writer,
) -> Response:
    """Store instances of any studies."""
    return await _store(request, settings, database, ingest, language, principal, "")


@router.post("/studies/{study}")
async def store_study(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    ingest: IngestDependency,
    language: LanguageDependency,
    principal: Writer,
    study: str,
) -> Response:
    """Store instances of one study; others are refused."""
    check_uid(study, "The study UID")
    return await _store(request, settings, database, ingest, language, principal, study)


async def _store(
    request: Request,
    settings: Settings,
    database: Database,
    ingest: Any,
    language: str,
    principal: Principal,
    study_uid: str,
) -> Response:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMedia("A STOW-RS body is not compressed as a whole; send it as it is.")
    boundary, kind = boundary_of(request.headers.get("content-type", ""))
    if kind not in ("", DICOM):
        raise UnsupportedMedia(
            f'STOW-RS takes multipart/related; type="{DICOM}" (whole Part 10 objects); metadata '
            f"with separate bulk data ({kind[:60]!r}) is not read, and nothing is ever fetched."
        )
    receiver = PartsToIngest(ingest, principal, study_uid)
    parser = MultipartParser(boundary, receiver, settings.http.stow_parts_limit)
    broken: EnneadError | None = None
    try:
        await _feed(request, parser)
        if not parser.parts:
            raise InputError("The body holds no part; send one instance per part.")
    except EnneadError as error:
        broken = error
    except HTTPException as error:  # the body passed its limit while it was streamed
        broken = LimitExceeded(str(error.detail))
    finally:
        await asyncio.to_thread(receiver.finish)
    outcome = receiver.outcome
    if outcome.stored or outcome.failed:
        await asyncio.to_thread(_write_audit, database, principal, outcome)
    return _answer(request, outcome, broken, language)


async def _feed(request: Request, parser: MultipartParser) -> None:
    """Parse and store in one thread of its own, a block behind the network."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="stow") as thread:
        running: asyncio.Future[None] | None = None
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in request.stream():
                pieces.append(piece)
                size += len(piece)
                if size >= _BLOCK:
                    if running is not None:
                        await running
                    running = loop.run_in_executor(thread, parser.feed, b"".join(pieces))
                    pieces, size = [], 0
        except ClientDisconnect as error:
            raise InputError("The sender left before the body was complete.") from error
        finally:
            if running is not None:
                await asyncio.wait([running])
        if running is not None:
            running.result()
        await loop.run_in_executor(thread, parser.feed, b"".join(pieces))
        parser.finish()


def _write_audit(database: Database, principal: Principal, outcome: Outcome) -> None:
    with database.begin() as connection:
        for study_uid in sorted({s.study_uid for s in outcome.stored}):
            new = sum(s.study_uid == study_uid and s.new for s in outcome.stored)
            audit.record(
                connection,
                principal,
                "instances.stored",
                study_uid=study_uid,
                detail={"way": "stow", "new": new, "refused": len(outcome.failed)},
            )


def _answer(
    request: Request, outcome: Outcome, broken: EnneadError | None, language: str
) -> Response:
    base = f"{request.url.scheme}://{request.url.netloc}/dicom-web"
    if broken is None or outcome.exhausted:
        return _json(outcome.response(base), outcome.status)
    answer = of_error(broken, language)
    if outcome.stored or outcome.failed:
        # What was complete before the failure is stored, and reported.
        body = json.loads(bytes(answer.body))
        body["response"] = json.loads(outcome.response(base))
        status, kind = answer.status_code, answer.media_type
        return Response(json.dumps(body, ensure_ascii=False), status, media_type=kind)
    return answer


def _json(body: bytes, status: int) -> Response:
    headers = {"Retry-After": "30"} if status == 503 else {}
    return Response(body, status, headers, JSON)
