"""Grey values for the screen: modality and VOI transformations (PS3.3 §C.11.1, §C.11.2)."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ennead.errors import InputError
from ennead.headers import items, number, numbers, text

Samples = npt.NDArray[Any]
Display = npt.NDArray[np.uint8]
Attributes = Mapping[str, Any]

LINEAR: Final = "LINEAR"
LINEAR_EXACT: Final = "LINEAR_EXACT"
SIGMOID: Final = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window in rescaled units (HU for CT)."""

    centre: float
    width: float
    function: str = LINEAR


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table that passed its checks."""

    first: int
    entries: npt.NDArray[np.uint16]
    bits: int


def parse_window(value: str) -> Window:
    """``centre,width,function`` of a rendered request (PS3.18 §8.3.5.1.4).

    Raises
    ------
    InputError
        It is not two finite numbers, the width is not positive, or the function is unknown.
    """
    parts = [p.strip() for p in value.split(",")]
    names = {"linear": LINEAR, "linear-exact": LINEAR_EXACT, "sigmoid": SIGMOID}
    try:
        centre, width = float(parts[0]), float(parts[1])
        function = names[parts[2].lower()] if len(parts) > 2 else LINEAR
        if len(parts) > 3 or not math.isfinite(centre) or not 0 < width < math.inf:
            raise ValueError
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(
            "window is centre,width,function with a positive width and the function linear, "
            f"linear-exact or sigmoid (PS3.18 §8.3.5.1.4); got {value[:60]!r}."
        ) from error
    return Window(centre, width, function)


def frame_attributes(attributes: Attributes, frame: int) -> Attributes:
    """The header with the frame's functional groups laid over it (PS3.3 §C.7.6.16)."""
    merged = dict(attributes)
    per_frame = items(attributes, "52009230")
    groups = [*items(attributes, "52009229"), *per_frame[frame : frame + 1]]
    for group in groups:
        for name in ("00289132", "00289145"):
            for item in items(group, name):
                merged.update(item)
    return merged


def table_of(item: Attributes) -> Table | None:
    """A LUT item, or None when its descriptor and data disagree (0 entries means 65 536)."""
    descriptor = numbers(item, "00283002")
    data = item.get("00283006", {})
    if len(descriptor) != 3:
        return None
    if "InlineBinary" in data:
        entries = np.frombuffer(base64.b64decode(data["InlineBinary"]), "<u2")
    else:
        raw = numbers(item, "00283006")
        if not all(0 <= v <= 0xFFFF for v in raw):
            return None
        entries = np.array(raw, dtype=np.uint16)
    count = int(descriptor[0]) or 65_536
    bits = int(descriptor[2])
    if len(entries) != count or not 8 <= bits <= 16:
        return None
    return Table(int(descriptor[1]), entries, bits)


def rescaled(values: Samples, attributes: Attributes) -> npt.NDArray[np.float32]:
    """Stored values → modality units; a LUT or a slope that makes no sense is left out."""
    for item in items(attributes, "00283000"):
        table = table_of(item)
        if table is not None:
            return _look_up(values, table).astype(np.float32)
    slope, intercept = number(attributes, "00281053"), number(attributes, "00281052")
    result = values.astype(np.float32)
    if slope is not None and slope != 0 and slope != 1:
        result *= np.float32(slope)
    if intercept:
        result += np.float32(intercept)
    return result


def to_display(values: Samples, attributes: Attributes, window: Window | None = None) -> Display:
    """Stored grey values → 0–255, MONOCHROME1 turned round.

    The window asked for, else the header's first window, else its VOI LUT, else the range of the
    pixels without padding.

    Parameters
    ----------
    values : number[row, column]
        Stored values.
    attributes : mapping
        From :func:`frame_attributes`.

    Returns
    -------
    uint8[row, column]
    """
    units = rescaled(values, attributes)
    table = None
    if window is None:
        window = _header_window(attributes)
        if window is None:
            table = next(
                (t for i in items(attributes, "00283010") if (t := table_of(i)) is not None), None
            )
    if table is not None:
        shown = _look_up(units, table).astype(np.float32) * (255.0 / (2**table.bits - 1))
    else:
        shown = _windowed(units, window or _full_range(values, units, attributes))
    grey = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    if text(attributes, "20500020") == "INVERSE" or (text(attributes, "00280004") == "MONOCHROME1"):
        return np.asarray(255 - grey, dtype=np.uint8)
    return grey


def _look_up(values: Samples, table: Table) -> npt.NDArray[np.uint16]:
    index = np.clip(values.astype(np.int64) - table.first, 0, len(table.entries) - 1)
    return np.asarray(table.entries[index])


def _header_window(attributes: Attributes) -> Window | None:
    centre, width = number(attributes, "00281050"), number(attributes, "00281051")
    function = text(attributes, "00281056", LINEAR)
    if centre is None or width is None:
        return None
    smallest = 1.0 if function == LINEAR else 0.0
    if width < smallest or width == 0:
        return None
    return Window(centre, width, function)


def _full_range(values: Samples, units: Samples, attributes: Attributes) -> Window:
    """The range of the pixels; padding and infinities do not count."""
    counted = np.isfinite(units)
    padding = number(attributes, "00280120")
    if padding is not None:
        limit = number(attributes, "00280121")
        low, high = sorted((padding, padding if limit is None else limit))
        counted &= (values < low) | (values > high)
    chosen = units[counted]
    if chosen.size == 0:
        return Window(0.5, 1.0, LINEAR_EXACT)
    low, high = float(chosen.min()), float(chosen.max())
    return Window((low + high) / 2, max(high - low, 1e-6), LINEAR_EXACT)


def _windowed(units: npt.NDArray[np.float32], window: Window) -> npt.NDArray[np.float32]:
    """PS3.3 §C.11.2.1.2 (linear), §C.11.2.1.3 (sigmoid, linear exact); output 0–255."""
    units = np.nan_to_num(units, nan=0.0)
    centre, width = window.centre, window.width
    with np.errstate(over="ignore"):
        if window.function == SIGMOID:
            return np.asarray(255.0 / (1.0 + np.exp(-4.0 * (units - centre) / width)))
        if window.function == LINEAR and width > 1:
            return np.asarray(((units - (centre - 0.5)) / (width - 1.0) + 0.5) * 255.0)
        if window.function == LINEAR:
            return np.where(units <= centre - 0.5, 0.0, 255.0).astype(np.float32)
        return np.asarray(((units - centre) / width + 0.5) * 255.0)
