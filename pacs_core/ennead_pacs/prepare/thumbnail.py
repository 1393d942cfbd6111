"""A series' thumbnail: its middle picture, small, made once per content of the series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row

from ennead.errors import EnneadError
from ennead.settings import Settings
from ennead_pacs.index.search import InstanceQuery, search_instances
from ennead_pacs.prepare.series import cache_folder, replace_cached, series_state
from ennead_pacs.rendering.picture import JPEG, Viewport, encode_picture, fitted, frame_image

THUMBNAIL_SIDE: Final = 256
_QUALITY: Final = 80


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG, and the series and state that it shows."""

    data: bytes
    study_uid: str
    state: str


def representative(rows: Sequence[Row[Any]]) -> Row[Any] | None:
    """The middle instance with pixels, by instance number; None when there is none."""
    pictures = sorted(
        (row for row in rows if row.rows),
        key=lambda r: (r.number is None, r.number or 0, r.instance_uid),
    )
    return pictures[len(pictures) // 2] if pictures else None


def prepared_thumbnail(
    connection: Connection, settings: Settings, series_uid: str
) -> Thumbnail | None:
    """The thumbnail, made now if it was not; None without a picture that can be decoded."""
    state = series_state(connection, series_uid)
    if state is None:
        return None
    folder = cache_folder(settings, series_uid)
    file = folder / f"{state.state}.jpg"
    try:
        data = file.read_bytes()
        return Thumbnail(data, state.study_uid, state.state) if data else None
    except OSError:
        pass
    rows = search_instances(connection, InstanceQuery({"SeriesInstanceUID": series_uid}))
    data = _make(settings, representative(rows))
    replace_cached(folder, file, data)
    return Thumbnail(data, state.study_uid, state.state) if data else None


def _make(settings: Settings, row: Row[Any] | None) -> bytes:
    """JPEG bytes; empty when nothing can be shown, which is remembered too."""
    if row is None:
        return b""
    try:
        image = frame_image(
            settings.objects_dir / row.location,
            (row.frames or 1) // 2,
            limit_bytes=settings.dicom.decode_limit_bytes,
        )
    except (EnneadError, OSError):
        return b""
    return encode_picture(fitted(image, Viewport(THUMBNAIL_SIDE, THUMBNAIL_SIDE)), JPEG, _QUALITY)
