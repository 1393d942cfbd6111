"""WADO-RS metadata and bulk data (PS3.18 §10.4.1.1.2, §10.4.1.1.5)."""

from __future__ import annotations

import gzip
import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.errors import NotFound
from ennead.headers import text
from ennead.identifiers import check_uid
from ennead.security import Permission, Principal
from ennead_pacs.dicomweb.accept import MULTIPART, OCTETS, acceptable, choose_json, nothing_fits
from ennead_pacs.dicomweb.answers import DOWNLOAD_HEADERS, Part, multipart, prepared_json
from ennead_pacs.dicomweb.holder import PREFIX, PlacesDependency
from ennead_pacs.dicomweb.lookup import rows_of
from ennead_pacs.prepare.header import read_header, swapped
from ennead_pacs.prepare.part10 import UNDEFINED, Part10, skip_fragments
from ennead_pacs.prepare.series import header_json, prepared_series

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]


@router.get("/studies/{study}/series/{series}/metadata")
def series_metadata(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    series: str,
    _: Reader,
) -> Response:
    """Headers of one series, prepared bytes."""
    media_type = choose_json(request)
    check_uid(study, "The study UID")
    check_uid(series, "The series UID")
    with database.read() as connection:
        prepared = prepared_series(connection, settings, series)
    if prepared is None or prepared.study_uid != study:
        raise NotFound(f"No series {series} in study {study}; it may not have arrived yet.")
    return prepared_json(
        request, prepared.metadata, prepared.metadata_gzip, prepared.state, media_type
    )


@router.get("/studies/{study}/metadata")
def study_metadata(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    _: Reader,
) -> Response:
    """Headers of a whole study: the prepared series one after another."""
    media_type = choose_json(request)
    bodies, states = [], []
    with database.read() as connection:
        for uid in dict.fromkeys(row.series_uid for row in rows_of(connection, study)):
            prepared = prepared_series(connection, settings, uid)
            if prepared is not None and prepared.metadata != b"[]":
                bodies.append(prepared.metadata[1:-1])
                states.append(prepared.state)
    body = b"[" + b",".join(bodies) + b"]"
    etag = hashlib.sha256(" ".join(states).encode()).hexdigest()[:24]
    compressed = None
    if "gzip" in request.headers.get("accept-encoding", ""):
        compressed = gzip.compress(body, compresslevel=1, mtime=0)
    return prepared_json(request, body, compressed, etag, media_type)


@router.get("/studies/{study}/series/{series}/instances/{instance}/metadata")
def instance_metadata(
    request: Request,
    settings: SettingsDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    _: Reader,
) -> Response:
    """Header of one instance."""
    media_type = choose_json(request)
    place = places.find(study, series, instance)
    body = b"[" + header_json(settings, place.row) + b"]"
    return prepared_json(request, body, None, place.row.sha256[:24], media_type)


@router.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
def bulk_data(
    request: Request,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    path: str,
    _: Reader,
) -> Response:
    """One value that metadata gives by reference, little-endian; a document as what it is."""
    place = places.find(study, series, instance)
    with Part10(place.path) as file:
        header = read_header(file)
        element = header.bulk.get(path)
        if element is None:
            raise NotFound(
                "No bulk value has this address; take addresses from BulkDataURI of the metadata."
            )
        length = element.length
        if length == UNDEFINED:
            end = skip_fragments(file.data, element.offset, file.size, file.encoding)
            length = end - element.offset
        body = file.data[element.offset : element.offset + length]
        if not file.encoding.little:
            body = swapped(body, element.vr)
    document = _document_type(header.attributes) if path == "00420011" else ""
    if document and length % 2 == 0 and body.endswith(b"\0"):
        body = body[:-1]  # the padding of an odd document (PS3.5 §8.1)
    offered = [t for t in (document, OCTETS) if t]
    for wanted in acceptable(request):
        for media_type in offered:
            if not wanted.covers(media_type):
                continue
            if wanted.multipart or (wanted.media_type == "*/*" and not document):
                return multipart([Part(media_type, body, str(request.url.path))], media_type)
            return Response(body, 200, DOWNLOAD_HEADERS, media_type)
    raise nothing_fits([f'{MULTIPART}; type="{t}"' for t in offered] + offered)


def _document_type(attributes: dict[str, Any]) -> str:
    """MIME type of an encapsulated document, where it is one that may be shown."""
    stated = text(attributes, "00420012").lower()
    return stated if stated in ("application/pdf", "text/xml", "model/stl") else ""
