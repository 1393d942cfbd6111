"""A frame as a PNG or JPEG (PS3.18 §8.3.5, §10.4.1.1.3)."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from ennead.errors import InputError
from ennead.headers import text
from ennead_pacs.prepare.header import read_header
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.rendering.colour import palette_to_rgb, to_rgb
from ennead_pacs.rendering.decode import DEFAULT_LIMIT_BYTES, decode_frames
from ennead_pacs.rendering.voi import Window, frame_attributes, to_display

VIEWPORT_LIMIT: Final = 8192
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Viewport:
    """Largest picture wanted, and the part of the image to show in it.

    ``region`` is left, top, width, height in image pixels; a negative size mirrors.
    """

    width: int
    height: int
    region: tuple[float, float, float, float] | None = None


def parse_viewport(value: str) -> Viewport:
    """``width,height,sx,sy,sw,sh`` of a rendered request (PS3.18 §8.3.5.1.3).

    Raises
    ------
    InputError
        Not two or six numbers, or a side is outside 1–8192.
    """
    parts = [p.strip() for p in value.split(",")]
    try:
        sides = [int(float(p)) for p in parts[:2]]
        places = [float(p) if p else 0.0 for p in parts[2:]]
        if len(sides) != 2 or len(places) not in (0, 4) or not all(map(math.isfinite, places)):
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise InputError(
            "viewport is width,height or width,height,left,top,region width,region height "
            f"(PS3.18 §8.3.5.1.3); got {value[:80]!r}."
        ) from error
    if not all(1 <= side <= VIEWPORT_LIMIT for side in sides):
        raise InputError(
            f"A rendered picture may be 1 to {VIEWPORT_LIMIT} pixels on a side; got "
            f"{sides[0]} x {sides[1]}."
        )
    region = (places[0], places[1], places[2], places[3]) if places else None
    return Viewport(sides[0], sides[1], region)


def frame_image(
    path: Path,
    frame: int,
    *,
    window: Window | None = None,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
) -> Image.Image:
    """Frame ``frame`` (from 0) as an 8-bit grey or RGB image.

    Raises
    ------
    Undecodable, CodestreamMismatch, NotFound
        As :func:`ennead_pacs.rendering.decode_frames`.
    """
    decoded = decode_frames(path, frames=(frame,), limit_bytes=limit_bytes)
    pixels = decoded.values[0]
    with Part10(path) as file:
        header = read_header(file)
        if decoded.photometric == "PALETTE COLOR" and text(header.attributes, "00080060") != "SEG":
            return Image.fromarray(palette_to_rgb(pixels, file, header))
    if decoded.layout.samples > 1:
        return Image.fromarray(to_rgb(pixels, decoded.photometric, decoded.layout.bits_stored))
    attributes = frame_attributes(header.attributes, frame)
    return Image.fromarray(to_display(pixels, attributes, window))


def fitted(image: Image.Image, viewport: Viewport) -> Image.Image:
    """The region of ``image``, as large as fits the viewport with its proportions kept."""
    if viewport.region is not None:
        left, top, width, height = viewport.region
        width, height = width or image.width - left, height or image.height - top
        box = (
            max(0, round(left)),
            max(0, round(top)),
            min(image.width, round(left + abs(width))),
            min(image.height, round(top + abs(height))),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            raise InputError("The viewport's region lies outside the image.")
        image = image.crop(box)
        if width < 0:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if height < 0:
            image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    scale = min(viewport.width / image.width, viewport.height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size == image.size:
        return image
    how = Image.Resampling.BILINEAR if scale > 1 else Image.Resampling.BOX
    return image.resize(size, how)


def encode_picture(image: Image.Image, media_type: str, quality: int = 90) -> bytes:
    """The image as PNG or JPEG bytes."""
    out = io.BytesIO()
    if media_type == PNG:
        image.save(out, "PNG", compress_level=1)
    else:
        image.save(out, "JPEG", quality=quality)
    return out.getvalue()
