"""What a call carries for each kind of input: its JSON, and its one canonical form.

Canonical: places rounded to 0.001 mm, defaults filled in, keys named. Equal canonical inputs make
the same job, so asking twice finds the first answer.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: Corners of one contour, strokes of one edited mask, and slices of a replacement.
MOST_CORNERS: Final = 2000
MOST_STROKES: Final = 200
MOST_SLICES: Final = 5000

_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
_UID = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
PointMM = tuple[_Number, _Number, _Number]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PlacedPoint(_Value):
    """A place on an image."""

    instance_uid: _UID
    position_mm: PointMM


class PlacedLine(_Value):
    """Two ends on one image."""

    instance_uid: _UID
    start_mm: PointMM
    end_mm: PointMM


class PlacedROI(_Value):
    """Ellipse: the ends of both axes; rectangle: its corners in turn."""

    instance_uid: _UID
    shape: Literal["ellipse", "rectangle"]
    points_mm: tuple[PointMM, PointMM, PointMM, PointMM]


class PlacedContour(_Value):
    """A closed polygon on one image."""

    instance_uid: _UID
    points_mm: Annotated[list[PointMM], Field(min_length=3, max_length=MOST_CORNERS)]


class Stroke(PlacedContour):
    """A contour whose inside is added to a mask or taken from it."""

    action: Literal["paint", "erase"]


class MaskSlice(_Value):
    """One slice of a replacement.

    ``bits`` is base64 of zlib of one bit a pixel, row by row, the first pixel in the lowest bit.
    """

    instance_uid: _UID
    bits: Annotated[str, Field(max_length=4_000_000)]


class EditedMask(_Value):
    """A stored segment and what to change: a replacement first, then strokes in their order.

    With ``replacement``, slices that it does not name are empty.
    """

    seg_instance_uid: _UID
    segment_number: Annotated[int, Field(ge=1, le=65535)]
    strokes: Annotated[list[Stroke], Field(max_length=MOST_STROKES)] = []
    replacement: Annotated[list[MaskSlice], Field(max_length=MOST_SLICES)] | None = None


#: How the JSON of each kind is read.
READERS: Final[dict[str, TypeAdapter[Any]]] = {
    "point": TypeAdapter(PlacedPoint),
    "seed": TypeAdapter(PlacedPoint),
    "points": TypeAdapter(list[PlacedPoint]),
    "line": TypeAdapter(PlacedLine),
    "roi": TypeAdapter(PlacedROI),
    "contour": TypeAdapter(PlacedContour),
    "mask": TypeAdapter(EditedMask),
    "number": TypeAdapter(Annotated[float, Field(allow_inf_nan=False, strict=True)]),
    "choice": TypeAdapter(Annotated[str, Field(max_length=64)]),
}


def canonical(value: Any) -> Any:
    """Plain JSON of a value: models as mappings, numbers rounded to 0.001."""
    if isinstance(value, BaseModel):
        return {name: canonical(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if isinstance(value, float):
        return round(value, 3) + 0.0  # no negative zero
    return value


def canonical_text(inputs: dict[str, Any]) -> str:
    """One text for equal inputs."""
    return json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
