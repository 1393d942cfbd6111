"""Whether the slices of a series are one regular stack, and why not.

The decision is :func:`ennead.geometry.stack_grid`; this module finds the words for it. Only
classic images (one frame an instance) come here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead.errors import GeometryError
from ennead.findings import RefusalCode
from ennead.geometry import UNIFORM_FRACTION, Grid, stack_grid
from ennead_pipelines.select.reasons import Reason

POSITION, ORIENTATION, SPACING = "00200032", "00200037", "00280030"
ROWS, COLUMNS, FRAME_OF_REFERENCE = "00280010", "00280011", "00200052"
TILT = "00181120"

#: The tilt at which slices shift sideways by 1 % of their gap, in degrees.
TILT_LIMIT_DEG = 0.5

_NEEDED = (
    ("ImagePositionPatient", POSITION, 3),
    ("ImageOrientationPatient", ORIENTATION, 6),
    ("PixelSpacing", SPACING, 2),
    ("Rows", ROWS, 1),
    ("Columns", COLUMNS, 1),
)


_FRAME_OF_REFERENCE_NAME = "FrameOfReferenceUID"


@dataclass(frozen=True, slots=True)
class Stack:
    """A regular stack: slice ``k`` of ``grid`` is instance ``order[k]`` of the series."""

    grid: Grid
    order: tuple[int, ...]


def stack_of(slices: Sequence[JSONAttributes]) -> Stack | list[Reason]:
    """The grid of a series, or the reasons it has none.

    Notes
    -----
    PS3.3 §C.7.6.2 (Image Plane). A gantry tilt is refused where the slices shift sideways, and
    where GantryDetectorTilt says so even though the positions do not show it.
    """
    absent = _missing(slices)
    if absent and absent != [_FRAME_OF_REFERENCE_NAME]:
        return [_geometry_missing(absent)]
    answer = _mixed(slices) or _tilted(slices) or _stacked(slices)
    if not absent:
        return answer if isinstance(answer, Stack) else [answer]
    # Positions are there: a broken stack is worth saying besides.
    found = [] if isinstance(answer, Stack) else [answer]
    return [*found, _geometry_missing(absent)]


def spacing_hint_mm(slices: Sequence[JSONAttributes]) -> float | None:
    """Slice spacing in mm from positions, else from the header; None when unknown."""
    points = [headers.numbers(s, POSITION) for s in slices]
    orientation = headers.numbers(slices[0], ORIENTATION) if slices else []
    if len(points) > 1 and len(orientation) == 6 and all(len(p) == 3 for p in points):
        along = np.sort(np.array(points) @ np.cross(orientation[:3], orientation[3:]))
        return float(np.median(np.diff(along)))
    return headers.number(slices[0], "00180088") if slices else None


def _missing(slices: Sequence[JSONAttributes]) -> list[str]:
    absent = [
        name
        for name, tag, count in _NEEDED
        if any(len(headers.numbers(s, tag)) != count for s in slices)
    ]
    if any(not headers.text(s, FRAME_OF_REFERENCE) for s in slices):
        absent.append(_FRAME_OF_REFERENCE_NAME)
    return absent


def _geometry_missing(absent: list[str]) -> Reason:
    return Reason(
        RefusalCode.GEOMETRY_MISSING, "refusal.geometry_missing", {"what": ", ".join(absent)}
    )


def _nonuniform(key: str, **values: str | int | float) -> Reason:
    return Reason(RefusalCode.GEOMETRY_NONUNIFORM, f"jobs.geometry.{key}", values)


def _mixed(slices: Sequence[JSONAttributes]) -> Reason | None:
    frames = {headers.text(s, FRAME_OF_REFERENCE) for s in slices}
    if len(frames) > 1:
        return _nonuniform("frames_of_reference", count=len(frames))
    sizes = {(headers.number(s, ROWS), headers.number(s, COLUMNS)) for s in slices}
    if len(sizes) > 1:
        return _nonuniform("sizes", count=len(sizes))
    orientations = np.array([headers.numbers(s, ORIENTATION) for s in slices])
    if np.abs(orientations - orientations[0]).max() > 1e-3:
        return _nonuniform("orientations")
    spacings = np.array([headers.numbers(s, SPACING) for s in slices])
    if np.abs(spacings - spacings[0]).max() > 1e-3:
        return _nonuniform("spacings")
    return None


def _tilted(slices: Sequence[JSONAttributes]) -> Reason | None:
    tilt = max((headers.number(s, TILT) or 0.0 for s in slices), key=abs)
    if abs(tilt) > TILT_LIMIT_DEG:
        return _nonuniform("tilt", degrees=round(tilt, 1))
    return None


def _stacked(slices: Sequence[JSONAttributes]) -> Stack | Reason:
    points = np.array([headers.numbers(s, POSITION) for s in slices])
    orientation = headers.numbers(slices[0], ORIENTATION)
    try:
        grid, order = stack_grid(
            points.tolist(),
            orientation,
            headers.numbers(slices[0], SPACING),
            int(headers.number(slices[0], ROWS) or 0),
            int(headers.number(slices[0], COLUMNS) or 0),
            headers.text(slices[0], FRAME_OF_REFERENCE),
        )
    except GeometryError as error:
        return _why(points, orientation) or _nonuniform("other", detail=error.message)
    return Stack(grid, tuple(order))


def _why(points: np.ndarray, orientation: list[float]) -> Reason | None:
    """The words for what ``stack_grid`` found."""
    if len(points) < 2:
        return None
    normal = np.cross(orientation[:3], orientation[3:])
    order = np.argsort(points @ normal, kind="stable")
    steps = np.diff(points[order], axis=0)
    gaps = steps @ normal
    middle = float(np.median(gaps))
    duplicates = int((gaps <= 1e-4).sum())
    if duplicates:
        return _nonuniform("duplicates", count=duplicates)
    limit = UNIFORM_FRACTION * middle
    if np.abs(gaps - middle).max() > limit:
        return _nonuniform(
            "gaps",
            smallest_mm=round(float(gaps.min()), 2),
            largest_mm=round(float(gaps.max()), 2),
            median_mm=round(middle, 2),
        )
    sideways = float(np.abs(steps - np.outer(gaps, normal)).max())
    if sideways > limit:
        return _nonuniform("sideways", shift_mm=round(sideways, 2))
    return None
