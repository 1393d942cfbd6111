"""WADO-RS rendered pictures and thumbnails (PS3.18 §10.4.1.1.3, §10.4.1.1.4)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ennead.app.dependencies import DatabaseDependency, SettingsDependency, require
from ennead.errors import InputError, NotFound
from ennead.identifiers import check_uid
from ennead.security import Permission, Principal
from ennead.settings import Settings
from ennead_pacs.dicomweb.accept import choose
from ennead_pacs.dicomweb.answers import prepared_json
from ennead_pacs.dicomweb.frame_routes import parse_frames
from ennead_pacs.dicomweb.holder import PREFIX, PlacesDependency
from ennead_pacs.dicomweb.lookup import Place, rows_of
from ennead_pacs.prepare.thumbnail import (
    THUMBNAIL_SIDE,
    prepared_thumbnail,
    representative,
)
from ennead_pacs.rendering.picture import (
    JPEG,
    PNG,
    Viewport,
    encode_picture,
    fitted,
    frame_image,
    parse_viewport,
)
from ennead_pacs.rendering.voi import parse_window

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]

_SERIES: Final = "/studies/{study}/series/{series}"
_INSTANCE: Final = _SERIES + "/instances/{instance}"


@router.get(_INSTANCE + "/rendered")
def rendered_instance(
    request: Request,
    settings: SettingsDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    _: Reader,
) -> Response:
    """The first frame as a picture."""
    return _picture(request, settings, places.find(study, series, instance), "1")


@router.get(_INSTANCE + "/frames/{frames}/rendered")
def rendered_frame(
    request: Request,
    settings: SettingsDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    frames: str,
    _: Reader,
) -> Response:
    """One frame as a picture."""
    return _picture(request, settings, places.find(study, series, instance), frames)


@router.get(_INSTANCE + "/thumbnail")
def instance_thumbnail(
    request: Request,
    settings: SettingsDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    _: Reader,
) -> Response:
    """The first frame, small."""
    return _picture(request, settings, places.find(study, series, instance), "1", small=True)


@router.get(_INSTANCE + "/frames/{frames}/thumbnail")
def frame_thumbnail(
    request: Request,
    settings: SettingsDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    frames: str,
    _: Reader,
) -> Response:
    """One frame, small."""
    return _picture(request, settings, places.find(study, series, instance), frames, small=True)


@router.get(_SERIES + "/thumbnail")
def series_thumbnail(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    series: str,
    _: Reader,
) -> Response:
    """The middle of the series, small; prepared once."""
    media_type = choose(request, (JPEG,))
    check_uid(study, "The study UID")
    check_uid(series, "The series UID")
    with database.read() as connection:
        found = prepared_thumbnail(connection, settings, series)
    if found is None or found.study_uid != study:
        raise NotFound(f"There is no series {series} with pictures in study {study}.")
    return prepared_json(request, found.data, None, found.state, media_type)


@router.get("/studies/{study}/thumbnail")
def study_thumbnail(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    study: str,
    _: Reader,
) -> Response:
    """The thumbnail of the study's largest series of pictures."""
    media_type = choose(request, (JPEG,))
    with database.read() as connection:
        rows = [r for r in rows_of(connection, study) if r.rows]
        counts: dict[str, int] = {}
        for row in rows:
            counts[row.series_uid] = counts.get(row.series_uid, 0) + 1
        for uid in sorted(counts, key=lambda u: (-counts[u], u)):
            found = prepared_thumbnail(connection, settings, uid)
            if found is not None:
                return prepared_json(request, found.data, None, found.state, media_type)
    raise NotFound(f"Study {study} holds no picture.")


@router.get(_SERIES + "/rendered")
def rendered_series(
    request: Request,
    settings: SettingsDependency,
    database: DatabaseDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    _: Reader,
) -> Response:
    """The middle of the series as a picture."""
    with database.read() as connection:
        row = representative(rows_of(connection, study, series))
    if row is None:
        raise NotFound(f"Series {series} holds no picture.")
    return _picture(request, settings, places.of_row(row), "1")


def _picture(
    request: Request, settings: Settings, place: Place, frames: str, *, small: bool = False
) -> Response:
    parameters = request.query_params
    media_type = choose(request, (JPEG, PNG))
    viewport = parse_viewport(parameters["viewport"]) if "viewport" in parameters else None
    window = parse_window(parameters["window"]) if "window" in parameters else None
    quality = _quality(parameters.get("quality", "90"))
    numbers = parse_frames(frames, len(place.layout().frames))
    if len(numbers) != 1:
        raise InputError("One picture shows one frame; ask for frames one by one.")
    asked = f"{place.row.sha256} {numbers[0]} {parameters} {media_type} {small}"
    etag = hashlib.sha256(asked.encode()).hexdigest()[:24]
    image = frame_image(
        place.path, numbers[0], window=window, limit_bytes=settings.dicom.decode_limit_bytes
    )
    if small and viewport is None:
        viewport = Viewport(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    if viewport is not None:
        image = fitted(image, viewport)
    body = encode_picture(image, media_type, quality)
    return prepared_json(request, body, None, etag, media_type)


def _quality(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 100):
        raise InputError(f"quality is a whole number from 1 to 100; got {text[:20]!r}.")
    return int(text)
