"""Workitems over HTTP (PS3.18 §11): ``/dicom-web/workitems``."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.responses import Response

from ennead import headers
from ennead.app.dependencies import (
    DatabaseDependency,
    LanguageDependency,
    SettingsDependency,
    get_language,
    require,
)
from ennead.app.problems import problem, status_of
from ennead.errors import EnneadError, InputError, LimitExceeded, UnsupportedMedia
from ennead.security import Permission, Principal
from ennead_pacs.dicomweb.accept import choose_json
from ennead_pacs.dicomweb.answers import json_answer
from ennead_pipelines.api.common import ArchiveDependency, CatalogueDependency
from ennead_pipelines.lanes import sight_of
from ennead_pipelines.ups.change import change_state, request_cancellation, update_workitem
from ennead_pipelines.ups.dataset import dataset
from ennead_pipelines.ups.parse import (
    LIMIT_BYTES,
    Document,
    cancel_reason,
    read_dataset,
    state_change,
    update_of,
)
from ennead_pipelines.ups.request import create_workitem
from ennead_pipelines.ups.search import parse_query, search
from ennead_pipelines.ups.workitem import find_workitem

PREFIX: Final = "/dicom-web/workitems"

Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]
Performer = Annotated[Principal, Depends(require(Permission.JOB_MANAGE))]


class UPSRoute(APIRoute):
    """Refusals carry the Warning header that PS3.18 wants beside their status."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with refusals answered here."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except EnneadError as error:
                warning = error.details.get("warning")
                if not isinstance(warning, str):
                    raise
                return problem(
                    status_of(error),
                    error.code,
                    error.message,
                    language=get_language(request),
                    headers=_warning(warning),
                )

        return answer


router = APIRouter(prefix=PREFIX, tags=["UPS-RS"], route_class=UPSRoute)


async def read_body(request: Request) -> Document:
    """The dataset of the body; an empty body is an empty dataset.

    Raises
    ------
    UnsupportedMedia, LimitExceeded, InputError
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT_BYTES:
            raise LimitExceeded(f"A workitem has at most {LIMIT_BYTES} bytes; send less.")
    if not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/dicom+json", "application/json"):
        raise UnsupportedMedia(
            f"Workitems are read as application/dicom+json (PS3.18 §11); got {kind[:60]!r}."
        )
    return await run_in_threadpool(read_dataset, bytes(body))


Body = Annotated[Document, Depends(read_body)]


@router.get("")
def search_workitems(
    request: Request, principal: Reader, database: DatabaseDependency, language: LanguageDependency
) -> Response:
    """Workitems that match; 204 when none does (§11.9)."""
    media_type = choose_json(request)
    query = parse_query(request.query_params.multi_items())
    with database.read() as connection:
        found = search(connection, query, sight_of(connection, principal))
        shown = [dataset(connection, each, language, whole=False) for each in found]
    extra = {}
    if query.unknown:
        extra = _warning(f"These keys are not matched: {', '.join(query.unknown)}")
    if not shown:
        return Response(status_code=204, headers=extra)
    return json_answer(request, _json(shown), media_type, **extra)


@router.post("", status_code=201)
def create(
    request: Request,
    document: Body,
    principal: Performer,
    database: DatabaseDependency,
    settings: SettingsDependency,
    catalogue: CatalogueDependency,
    archive: ArchiveDependency,
) -> Response:
    """Ask for a package to be run on a study (§11.4); the UID is the query's or the dataset's."""
    asked = str(request.url.query).partition("&")[0]
    uid = asked or headers.text(document, "00080018")
    if not uid:
        raise InputError("Name the workitem: POST /dicom-web/workitems?{uid}.")
    create_workitem(database, archive, settings, catalogue, uid, document, principal)
    location = f"{PREFIX}/{uid}"
    return Response(status_code=201, headers={"Location": location, "Content-Location": location})


@router.get("/{uid}")
def retrieve(
    uid: str,
    request: Request,
    principal: Reader,
    database: DatabaseDependency,
    language: LanguageDependency,
) -> Response:
    """One workitem, without the Transaction UID (§11.5)."""
    media_type = choose_json(request)
    with database.read() as connection:
        found = find_workitem(connection, uid, sight_of(connection, principal))
        shown = dataset(connection, found, language)
    return json_answer(request, _json([shown]), media_type)


@router.post("/{uid}")
def update(
    uid: str,
    request: Request,
    document: Body,
    principal: Performer,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response:
    """What the performer says of its work (§11.6); the Transaction UID is the query."""
    asked = str(request.url.query).partition("&")[0].rpartition("=")[2]
    transaction = asked or headers.text(document, "00081195")
    changes = update_of(document)
    with database.begin() as connection:
        sight = sight_of(connection, principal)
        claim_s = settings.pipelines.claim_s
        update_workitem(connection, uid, changes, transaction, principal, sight, claim_s)
    return Response(status_code=200, headers={"Content-Location": f"{PREFIX}/{uid}"})


@router.put("/{uid}/state")
def change(
    uid: str,
    document: Body,
    principal: Performer,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response:
    """Claim, complete or cancel (§11.7)."""
    wanted, transaction = state_change(document)
    with database.begin() as connection:
        sight = sight_of(connection, principal)
        claim_s = settings.pipelines.claim_s
        warning = change_state(connection, uid, wanted, transaction, principal, sight, claim_s)
    extra = _warning(warning) if warning else {}
    return Response(status_code=200, headers=extra | {"Content-Location": f"{PREFIX}/{uid}/state"})


@router.post("/{uid}/cancelrequest", status_code=202)
def cancel_request(
    uid: str, document: Body, principal: Performer, database: DatabaseDependency
) -> Response:
    """Ask that it be cancelled (§11.8)."""
    with database.begin() as connection:
        sight = sight_of(connection, principal)
        reason = cancel_reason(document)
        warning = request_cancellation(connection, uid, reason, principal, sight)
    return Response(status_code=202, headers=_warning(warning) if warning else {})


def _warning(text: str) -> dict[str, str]:
    ascii_text = text.encode("ascii", "replace").decode().replace('"', "'")
    return {"Warning": f'299 Ennead "{ascii_text}"'}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
