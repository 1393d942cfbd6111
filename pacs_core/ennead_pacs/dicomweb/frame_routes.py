"""WADO-RS frames (PS3.18 §10.4.1.1.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ennead.app.dependencies import SettingsDependency, require
from ennead.errors import InputError, NotFound
from ennead.security import Permission, Principal
from ennead_pacs.dicomweb.accept import (
    MULTIPART,
    OCTETS,
    Acceptable,
    acceptable,
    nothing_fits,
)
from ennead_pacs.dicomweb.answers import DOWNLOAD_HEADERS, Part, multipart, not_modified
from ennead_pacs.dicomweb.holder import PREFIX, PlacesDependency
from ennead_pacs.dicomweb.lookup import Place
from ennead_pacs.dicomweb.transcode import EXPLICIT_LITTLE
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.prepare.pixels import PixelLayout
from ennead_pacs.rendering.decode import decode_frames, joined

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
Reader = Annotated[Principal, Depends(require(Permission.STUDY_READ))]

_FRAMES_LIMIT: Final = 10_000
_JPEG: Final = "1.2.840.10008.1.2.4."
#: Media type of a compressed frame (PS3.18 Table 8.7.3-5).
MEDIA_TYPES: Final[dict[str, str]] = {
    **dict.fromkeys((f"{_JPEG}{n}" for n in (50, 51, 57, 70)), "image/jpeg"),
    **dict.fromkeys((f"{_JPEG}{n}" for n in (80, 81)), "image/jls"),
    **dict.fromkeys((f"{_JPEG}{n}" for n in (90, 91)), "image/jp2"),
    **dict.fromkeys((f"{_JPEG}{n}" for n in (92, 93)), "image/jpx"),
    **dict.fromkeys((f"{_JPEG}{n}" for n in (201, 202, 203)), "image/jphc"),
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}")
def frames_(
    request: Request,
    settings: SettingsDependency,
    places: PlacesDependency,
    study: str,
    series: str,
    instance: str,
    frames: str,
    _: Reader,
) -> Response:
    """Frames by number, as stored or uncompressed."""
    place = places.find(study, series, instance)
    layout = place.layout()
    wanted_frames = parse_frames(frames, len(layout.frames))
    for wanted in acceptable(request):
        chosen = _representation(wanted, layout)
        if chosen is None or (
            not wanted.multipart and wanted.media_type != "*/*" and len(wanted_frames) > 1
        ):
            continue
        media_type, as_stored = chosen
        asked = f"{place.row.sha256} {wanted_frames} {media_type} {as_stored}"
        etag = f'W/"{hashlib.sha256(asked.encode()).hexdigest()[:24]}"'
        known = not_modified(request, etag)
        if known is not None:
            return known
        if as_stored:
            syntax = EXPLICIT_LITTLE if layout.native else layout.transfer_syntax_uid
            bodies = _stored(place, layout, wanted_frames)
        else:
            syntax = EXPLICIT_LITTLE
            bodies = _decoded(place, wanted_frames, settings.dicom.decode_limit_bytes)
        kind = f"{media_type}; transfer-syntax={syntax}"
        if not wanted.multipart and wanted.media_type != "*/*":
            return Response(bodies[0], 200, {**DOWNLOAD_HEADERS, "ETag": etag}, kind)
        parts = [
            Part(kind, body, f"{place.location}/frames/{n + 1}")
            for n, body in zip(wanted_frames, bodies, strict=True)
        ]
        return multipart(parts, media_type, etag)
    offered = [OCTETS, MEDIA_TYPES.get(layout.transfer_syntax_uid, "")]
    raise nothing_fits([f'{MULTIPART}; type="{t}"' for t in offered if t])


def parse_frames(text: str, count: int) -> list[int]:
    """Frame numbers from 0 of a list such as ``1,3,5``.

    Raises
    ------
    InputError
        It is no list of positive numbers, or names more than 10 000.
    NotFound
        A frame does not exist.
    """
    parts = text.split(",")
    if len(text) > 100_000 or len(parts) > _FRAMES_LIMIT:
        raise InputError(f"At most {_FRAMES_LIMIT} frames in one request; ask in several.")
    numbers = []
    for part in parts:
        if not (part.isascii() and part.isdigit() and 0 < len(part) < 10 and int(part) > 0):
            raise InputError(
                f"Frames are numbers from 1, separated by commas (PS3.18 §10.4.1.1.6); got "
                f"{text[:40]!r}."
            )
        if int(part) > count:
            raise NotFound(f"The instance has {count} frames; there is no frame {int(part)}.")
        numbers.append(int(part) - 1)
    return numbers


def _representation(wanted: Acceptable, layout: PixelLayout) -> tuple[str, bool] | None:
    """Media type, and whether the stored bytes serve; None when this range cannot be met."""
    stored = layout.transfer_syntax_uid
    if wanted.covers(OCTETS):
        if layout.native:
            if wanted.allows(EXPLICIT_LITTLE) or wanted.transfer_syntax == stored:
                return OCTETS, True
            return None
        if wanted.transfer_syntax in ("*", stored):
            return OCTETS, True
        return (OCTETS, False) if wanted.allows(EXPLICIT_LITTLE) else None
    compressed = MEDIA_TYPES.get(stored)
    if not layout.native and compressed and wanted.covers(compressed) and wanted.allows(stored):
        return compressed, True
    return None


def _stored(place: Place, layout: PixelLayout, frames: Sequence[int]) -> list[bytes]:
    """The frames' bytes from the file; words little-endian, bitmaps aligned to bytes."""
    swap = layout.native and not layout.little and layout.bits_allocated > 8
    shifted = layout.bits_allocated == 1 and layout.pixels_per_frame % 8
    if swap or shifted:
        return _decoded(place, frames, layout.frame_bytes * 8 * len(frames) + 1)
    with Part10(place.path) as file:
        return [joined(file, layout.frames[n]) for n in frames]


def _decoded(place: Place, frames: Sequence[int], limit_bytes: int) -> list[bytes]:
    decoded = decode_frames(place.path, frames=frames, limit_bytes=limit_bytes)
    if decoded.layout.bits_allocated == 1:
        packed = np.packbits(decoded.values.reshape(len(frames), -1), axis=1, bitorder="little")
        return [plane.tobytes() for plane in packed]
    little = decoded.values.dtype.newbyteorder("<")
    return [plane.astype(little, copy=False).tobytes() for plane in decoded.values]
