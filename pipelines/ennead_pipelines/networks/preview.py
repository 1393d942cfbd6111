"""A finding as a small picture: its key image with the outline of its segments.

Made from the archive or, for a held result, from what is held; nothing is kept.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread
from scipy import ndimage
from sqlalchemy import Connection, Row, select

from ennead import headers
from ennead.contracts import Archive
from ennead.errors import NotFound
from ennead.findings import Mask
from ennead.identifiers import InstanceUID, SeriesUID
from ennead_pacs.rendering import decode_frames
from ennead_pacs.rendering.picture import frame_image
from ennead_pacs.rendering.voi import Window, rescaled
from ennead_pipelines.networks.labels import frame_labels
from ennead_pipelines.networks.objects import job_object
from ennead_pipelines.tables import jobs

WIDTHS: Final = (64, 1024)
#: How much of a segment's colour lies over it; its outline is opaque.
_FILL: Final = 0.2
_WINDOW_CENTRE: Final = "00281050"
_LUNG, _SOFT, _BONE = Window(-600, 1500), Window(40, 400), Window(400, 1800)


def etag(finding: Row[Any], width: int) -> str:
    """Changes when the picture would: the same finding's image never does."""
    return '"' + hashlib.sha256(f"{finding.id}/{width}/1".encode()).hexdigest()[:32] + '"'


def preview(connection: Connection, archive: Archive, finding: Row[Any], width: int) -> bytes:
    """The picture of a finding's row as PNG, ``width`` pixels wide.

    Raises
    ------
    NotFound
        The key image is gone.
    """
    document = finding.document
    uid = document["key_image"]["instance_uid"]
    if not uid:
        raise NotFound(f"Finding {finding.id} has no key image.")
    path = archive.path(InstanceUID(uid))
    shown = _segments(connection, archive, finding.job_id, document, uid)
    everything = np.logical_or.reduce([mask for mask, _ in shown]) if shown else None
    header = _header(archive, SeriesUID(document["key_image"]["series_uid"]), uid)
    image = frame_image(path, 0, window=_window(path, header, everything)).convert("RGB")
    image = image.resize(_size(image, header, width), Image.Resampling.BILINEAR)
    pixels = np.asarray(image).copy()
    for mask, colour in shown:
        _draw(pixels, mask, colour)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=6)
    return out.getvalue()


def _segments(
    connection: Connection, archive: Archive, job_id: str, document: Mapping[str, Any], uid: str
) -> list[tuple[Mask, tuple[int, int, int]]]:
    """Mask and colour of each of the finding's segments on the key image."""
    if not document["segments"]:
        return []
    job = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
    try:
        _, data = job_object(connection, archive, job, "seg")
    except NotFound:
        return []
    labels = frame_labels(data, uid)
    if labels is None:
        return []
    found = []
    for each in document["segments"]:
        mask = labels == each["number"]
        if mask.any():
            red, green, blue = each["colour"]
            found.append((mask, (int(red), int(green), int(blue))))
    return found


def _header(archive: Archive, series_uid: SeriesUID, uid: str) -> Mapping[str, Any]:
    for record, header in zip(
        archive.instances(series_uid), archive.metadata(series_uid), strict=False
    ):
        if record.instance_uid == uid:
            return header
    return dcmread(archive.path(InstanceUID(uid)), stop_before_pixels=True).to_json_dict()


def _window(path: Path, header: Mapping[str, Any], inside: Mask | None) -> Window | None:
    """The image's own window; without one, by modality and by what is inside the finding."""
    if headers.number(header, _WINDOW_CENTRE) is not None:
        return None
    decoded = decode_frames(path, frames=(0,))
    if decoded.layout.samples > 1:
        return None
    units = rescaled(decoded.values[0], header)
    if headers.text(header, "00080060") == "CT":
        looked_at = units[inside] if inside is not None and inside.shape == units.shape else units
        middle = float(np.median(looked_at))
        return _LUNG if middle < -300 else _BONE if middle > 300 else _SOFT
    low, high = np.percentile(units, [1, 99])
    return Window(float(low + high) / 2, max(1.0, float(high - low)))


def _size(image: Image.Image, header: Mapping[str, Any], width: int) -> tuple[int, int]:
    """Pixels are drawn as tall and wide as they are in the patient."""
    spacing = headers.numbers(header, "00280030")
    ratio = spacing[0] / spacing[1] if len(spacing) == 2 and min(spacing) > 0 else 1.0
    return width, max(1, min(4 * width, round(width * image.height * ratio / image.width)))


def _draw(pixels: npt.NDArray[np.uint8], mask: Mask, colour: Sequence[int]) -> None:
    """Lay a mask over the picture: a tint inside and a line of two pixels around."""
    height, width = pixels.shape[:2]
    scaled = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    region = np.asarray(scaled) >= 128
    if not region.any():
        return
    inner = ndimage.binary_erosion(region, iterations=2)
    tint = np.asarray(colour, dtype=np.float32)
    mixed = pixels[inner] * (1 - _FILL) + tint * _FILL
    pixels[inner] = mixed.astype(np.uint8)
    pixels[region & ~inner] = tint.astype(np.uint8)
