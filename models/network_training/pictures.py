"""Small pictures for a model card: grey slices with outlines and captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Slice = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Colour = tuple[int, int, int]

GREEN: Colour = (60, 220, 90)
RED: Colour = (255, 70, 60)
YELLOW: Colour = (255, 205, 40)
BLUE: Colour = (80, 160, 255)
_CAPTION = 16


def draw(
    values: Slice,
    window: tuple[float, float],
    outlines: Sequence[tuple[Mask, Colour]],
    caption: str,
    zoom: int = 4,
) -> Image.Image:
    """A slice with outlines, the first array axis to the right, the second upward.

    Parameters
    ----------
    values : float32[x, y]
    window : (float, float)
        Shown as black and as white.
    outlines : sequence of (bool[x, y], colour)
    caption : str
        Written below.
    zoom : int
        Screen pixels a voxel.
    """
    low, high = window
    grey = (np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(grey.T[::-1]))
    image = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert("RGB")).copy()
    for mask, colour in outlines:
        large = np.kron(mask.T[::-1], np.ones((zoom, zoom), dtype=bool))
        inside = large.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                inside &= np.roll(large, step, axis)
        pixels[large & ~inside] = colour
    out = Image.new("RGB", (image.width, image.height + _CAPTION))
    out.paste(Image.fromarray(pixels))
    ImageDraw.Draw(out).text((2, image.height + 2), caption, fill=(230, 230, 230))
    return out


def save_row(pictures: Sequence[Image.Image], path: Path) -> None:
    """Pictures side by side as one PNG."""
    height = max(picture.height for picture in pictures)
    out = Image.new("RGB", (sum(p.width for p in pictures) + 4 * (len(pictures) - 1), height))
    left = 0
    for picture in pictures:
        out.paste(picture, (left, 0))
        left += picture.width + 4
    path.parent.mkdir(parents=True, exist_ok=True)
    out.save(path, optimize=True)
