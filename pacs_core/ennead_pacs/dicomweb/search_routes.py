"""QIDO-RS: studies, series, instances (PS3.18 §10.6; IHE RAD-129)."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection, Row, select
from starlette.responses import Response

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.identifiers import check_uid
from ennead.security import Permission, Principal
from ennead.settings import Settings
from ennead_pacs.dicomweb import attributes
from ennead_pacs.dicomweb.accept import choose_json
from ennead_pacs.dicomweb.answers import json_answer
from ennead_pacs.dicomweb.holder import PREFIX
from ennead_pacs.dicomweb.query import QidoQuery, parse_query
from ennead_pacs.index.search import (
    InstanceQuery,
    SeriesQuery,
    StudyQuery,
    search_instances,
    search_series,
    search_studies,
)
from ennead_pacs.index.tables import studies
from ennead_pacs.prepare.series import prepared_series

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]

_ANSWERS_BYTES: Final = 64 * 1024**2


class _Answers:
    """Answers about one study, by its state: a viewer asks the same again and again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[bytes, tuple[str, ...]]] = OrderedDict()
        self._used = 0

    def get(self, key: str) -> tuple[bytes, tuple[str, ...]] | None:
        with self._lock:
            return self._held.get(key)

    def put(self, key: str, body: bytes, warnings: tuple[str, ...]) -> None:
        with self._lock:
            if key in self._held:
                return
            self._held[key] = (body, warnings)
            self._used += len(body) + 512
            while self._used > _ANSWERS_BYTES:
                self._used -= len(self._held.popitem(last=False)[1][0]) + 512


_answers = _Answers()
_STATE = select(studies.c.id, studies.c.instance_count, studies.c.updated_at)


@router.get("/studies")
def studies_(request: Request, database: DatabaseDependency, _: Reader) -> Response:
    """Studies that match (PS3.18 Table 10.6.1-1)."""
    media_type = choose_json(request)
    query = parse_query(request.query_params.multi_items(), "studies")
    base = _base(request)
    with database.read() as connection:
        rows = search_studies(
            connection,
            StudyQuery(
                query.filters, limit=query.limit + 1, offset=query.offset, newest_first=True
            ),
        )
    body, warnings = _page(
        query, list(rows), attributes.STUDY, lambda r: f"{base}/studies/{r.study_uid}"
    )
    return _answer(request, body, warnings, media_type)


@router.get("/series")
def all_series(
    request: Request, settings: SettingsDependency, database: DatabaseDependency, _: Reader
) -> Response:
    """Series of all studies that match."""
    return _lower(request, settings, database, "series")


@router.get("/studies/{study}/series")
def series_of_study(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    _: Reader,
) -> Response:
    """Series of one study that match."""
    return _lower(request, settings, database, "series", study)


@router.get("/instances")
def all_instances(
    request: Request, settings: SettingsDependency, database: DatabaseDependency, _: Reader
) -> Response:
    """Instances of all studies that match."""
    return _lower(request, settings, database, "instances")


@router.get("/studies/{study}/instances")
def instances_of_study(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    _: Reader,
) -> Response:
    """Instances of one study that match."""
    return _lower(request, settings, database, "instances", study)


@router.get("/studies/{study}/series/{series}/instances")
def instances_of_series(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    series: str,
    _: Reader,
) -> Response:
    """Instances of one series that match."""
    return _lower(request, settings, database, "instances", study, series)


def _lower(
    request: Request,
    settings: Settings,
    database: DatabaseDependency,
    level: str,
    study_uid: str = "",
    series_uid: str = "",
) -> Response:
    """Series and instances; an answer within one study is kept for the study's present state."""
    media_type = choose_json(request)
    fixed: dict[str, str] = {}
    if study_uid:
        fixed["StudyInstanceUID"] = check_uid(study_uid, "The study UID")
    if series_uid:
        fixed["SeriesInstanceUID"] = check_uid(series_uid, "The series UID")
    base = _base(request)
    with database.read() as connection:
        key = _key(connection, request, level, base, study_uid, series_uid)
        held = _answers.get(key) if key else None
        if held is None:
            query = parse_query(request.query_params.multi_items(), level)
            held = _search(connection, settings, query, level, fixed, base)
            if key:
                _answers.put(key, *held)
    return _answer(request, held[0], held[1], media_type)


def _search(
    connection: Connection,
    settings: Settings,
    query: QidoQuery,
    level: str,
    fixed: Mapping[str, str],
    base: str,
) -> tuple[bytes, tuple[str, ...]]:
    filters = {**query.filters, **fixed}
    rows: list[Row[Any]]
    if level == "series":
        found = SeriesQuery(filters, limit=query.limit + 1, offset=query.offset)
        rows = list(search_series(connection, found))
        columns = attributes.SERIES
        columns += tuple(c for c in attributes.SERIES_MORE if query.wants(c.tag))
    else:
        wanted = InstanceQuery(filters, limit=query.limit + 1, offset=query.offset)
        rows = list(search_instances(connection, wanted))
        columns = attributes.INSTANCE
    if "StudyInstanceUID" not in fixed:
        columns += attributes.OF_PATIENT
    else:
        columns += tuple(c for c in attributes.OF_PATIENT if query.wants(c.tag))

    def url(row: Row[Any]) -> str:
        above = f"{base}/studies/{row.study_uid}/series/{row.series_uid}"
        return above if level == "series" else f"{above}/instances/{row.instance_uid}"

    extra = None
    if level == "instances":
        rest = query.fields - {c.tag for c in columns}
        if rest and fixed:
            extra = _from_headers(connection, settings, rest)
    return _page(query, rows, columns, url, extra)


def _from_headers(
    connection: Connection, settings: Settings, fields: frozenset[str]
) -> Callable[[Row[Any]], Mapping[str, Any]]:
    """Attributes of ``includefield`` that only the headers hold; within one study."""
    headers: dict[str, Mapping[str, Any]] = {}
    seen: set[str] = set()
    known = {c.tag for c in (*attributes.INSTANCE, *attributes.OF_PATIENT)} | {"00081190"}

    def extra(row: Row[Any]) -> Mapping[str, Any]:
        if row.series_uid not in seen:
            seen.add(row.series_uid)
            prepared = prepared_series(connection, settings, row.series_uid)
            for header in json.loads(prepared.metadata) if prepared else ():
                headers[header["00080018"]["Value"][0]] = header
        header = headers.get(row.instance_uid, {})
        wanted = header if "all" in fields else fields & header.keys()
        return {t: header[t] for t in wanted if t not in known and "BulkDataURI" not in header[t]}

    return extra


def _page(
    query: QidoQuery,
    rows: list[Row[Any]],
    columns: tuple[attributes.Column, ...],
    url: Callable[[Row[Any]], str],
    extra: Callable[[Row[Any]], Mapping[str, Any]] | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    warnings = query.warnings
    if len(rows) > query.limit:
        rows = rows[: query.limit]
        warnings += (f"there are more results; ask again with offset={query.offset + query.limit}",)
    return attributes.rows_json(rows, columns, url, extra), warnings


def _answer(request: Request, body: bytes, warnings: tuple[str, ...], media_type: str) -> Response:
    answer = json_answer(request, body, media_type)
    for text in warnings:
        answer.headers.append("Warning", f'299 ennead "{text}"')
    return answer


def _key(
    connection: Connection, request: Request, level: str, base: str, study_uid: str, series_uid: str
) -> str:
    """A name for the question and the study's state; empty where no study bounds the answer."""
    if not study_uid:
        return ""
    row = connection.execute(_STATE.where(studies.c.study_uid == study_uid)).one_or_none()
    if row is None:
        return ""
    parts = (level, base, study_uid, series_uid, str(request.query_params), *map(str, row))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/dicom-web"
