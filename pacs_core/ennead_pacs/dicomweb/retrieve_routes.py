"""WADO-RS: studies, series and instances as they are stored (PS3.18 §10.4.1.1.1)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.errors import NotAcceptable
from ennead.security import Permission, Principal
from ennead_pacs.dicomweb.accept import DICOM, MULTIPART, Acceptable, acceptable, nothing_fits
from ennead_pacs.dicomweb.access import note_access
from ennead_pacs.dicomweb.answers import DOWNLOAD_HEADERS, Part, multipart, single_file
from ennead_pacs.dicomweb.holder import PREFIX, PlacesDependency
from ennead_pacs.dicomweb.lookup import Place, rows_of
from ennead_pacs.dicomweb.transcode import EXPLICIT_LITTLE, to_explicit_little

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]

_OFFERED = (f'{MULTIPART}; type="{DICOM}"', DICOM)


@router.get("/studies/{study}/series/{series}/instances/{instance}")
def instance_(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    principal: Reader,
) -> Response:
    """One instance: multipart, or a single part with ETag and Range."""
    place = places.find(study, series, instance)
    wanted = _wanted(request)
    note_access(database, principal, study, "instances.retrieved")
    limit = settings.dicom.decode_limit_bytes
    if wanted.multipart or wanted.media_type == "*/*":
        return multipart([_part(place, wanted, limit)], DICOM)
    filename = f"{place.row.sha256[:16]}.dcm"
    if wanted.allows(place.row.transfer_syntax_uid):
        return single_file(
            request, place.path, place.row.size_bytes, place.row.sha256, DICOM, filename
        )
    body = _transcoded(place, wanted, limit)
    disposition = f'attachment; filename="{filename}"'
    return Response(body, 200, {**DOWNLOAD_HEADERS, "Content-Disposition": disposition}, DICOM)


@router.get("/studies/{study}/series/{series}")
def series_(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    principal: Reader,
) -> Response:
    """Every instance of a series."""
    return _many(request, settings, database, places, principal, study, series)


@router.get("/studies/{study}")
def study_(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    places: PlacesDependency,
    study: str,
    principal: Reader,
) -> Response:
    """Every instance of a study."""
    return _many(request, settings, database, places, principal, study)


def _many(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    places: PlacesDependency,
    principal: Principal,
    study: str,
    series: str = "",
) -> Response:
    wanted = _wanted(request)
    if not wanted.multipart and wanted.media_type != "*/*":
        raise nothing_fits(_OFFERED[:1])
    with database.read() as connection:
        rows = rows_of(connection, study, series)
    note_access(database, principal, study, "instances.retrieved")
    limit = settings.dicom.decode_limit_bytes
    return multipart([_part(places.of_row(row), wanted, limit) for row in rows], DICOM)


def _wanted(request: Request) -> Acceptable:
    """The first media range that is DICOM, multipart or single."""
    for wanted in acceptable(request):
        if wanted.covers(DICOM):
            return wanted
    raise nothing_fits(_OFFERED)


def _part(place: Place, wanted: Acceptable, limit_bytes: int) -> Part:
    syntax = place.row.transfer_syntax_uid
    if wanted.allows(syntax):
        return Part(f"{DICOM}; transfer-syntax={syntax}", place.path, place.location)
    body = _transcoded(place, wanted, limit_bytes)
    return Part(f"{DICOM}; transfer-syntax={EXPLICIT_LITTLE}", body, place.location)


def _transcoded(place: Place, wanted: Acceptable, limit_bytes: int) -> bytes:
    if wanted.transfer_syntax != EXPLICIT_LITTLE:
        raise NotAcceptable(
            f"Instance {place.row.instance_uid} is stored in transfer syntax "
            f"{place.row.transfer_syntax_uid} and can be converted to {EXPLICIT_LITTLE} only; "
            "ask for one of these, or for transfer-syntax=*."
        )
    return to_explicit_little(place.path, limit_bytes)
