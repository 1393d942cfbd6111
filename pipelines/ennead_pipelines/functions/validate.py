"""Whether a call may be made: every rule that it breaks, in words, before anything is computed.

Reads the manifest, the series' grid and the headers of a named segmentation. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from ennead.geometry import Grid
from ennead.identifiers import InstanceUID
from ennead.plugins import FunctionInput, FunctionRule
from ennead_pipelines.functions.values import (
    READERS,
    EditedMask,
    PlacedContour,
    PlacedLine,
    PlacedPoint,
    PlacedROI,
    canonical,
)

#: A place may leave the centre plane of its image by half a slice, and rounding.
_SLACK_VOXELS: Final = 0.51


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a call breaks.

    Parameters
    ----------
    input : str
        Name of the input; "" for the call as a whole.
    text_key, values
        Of ``functions.toml``: the rule, the value, and what to do.
    """

    input: str
    text_key: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What places are checked against: the series' grid, slice by slice."""

    grid: Grid
    instance_uids: Sequence[InstanceUID]


def check_inputs(
    rule: FunctionRule, given: Mapping[str, Any], around: Surroundings
) -> tuple[dict[str, Any], list[Problem]]:
    """The canonical inputs of a call, and every problem with what was given.

    Parameters
    ----------
    given : mapping
        JSON by input name.

    Returns
    -------
    (dict, list of Problem)
        Use the inputs only when there is no problem.
    """
    inputs: dict[str, Any] = {}
    problems = [
        Problem(name, "functions.problem.unknown_input", {"known": _names(rule)})
        for name in given
        if rule.input_rule(name) is None
    ]
    for each in rule.input:
        value = given.get(each.name, each.default)
        if value is None:
            if not each.optional:
                problems.append(_problem(each, "missing"))
            continue
        if each.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        try:
            read = READERS[each.kind].validate_python(value)
        except ValidationError as error:
            problems.append(_problem(each, "shape", kind=each.kind, detail=_first(error)))
            continue
        found = list(_check(each, read, around))
        problems += found
        if not found:
            inputs[each.name] = canonical(read)
    return inputs, problems


def _check(rule: FunctionInput, value: Any, around: Surroundings) -> Iterator[Problem]:
    if rule.kind == "number":
        if not rule.holds(value):
            yield _problem(
                rule, "bounds", value=value, low=_open(rule.min), high=_open(rule.max),
                unit=rule.unit,
            )  # fmt: skip
    elif rule.kind == "choice":
        if value not in [choice.value for choice in rule.choices]:
            wanted = ", ".join(choice.value for choice in rule.choices)
            yield _problem(rule, "choice", wanted=wanted)
    elif rule.kind == "points":
        if not rule.count_min <= len(value) <= rule.count_max:
            yield _problem(rule, "count", count=len(value), low=rule.count_min, high=rule.count_max)
        for point in value:
            yield from _placed(rule, point, around)
    elif isinstance(value, EditedMask):
        for stroke in value.strokes:
            yield from _placed(rule, stroke, around)
        for each in value.replacement or ():
            if each.instance_uid not in around.instance_uids:
                yield _problem(rule, "image", uid=each.instance_uid)
    else:
        if isinstance(value, PlacedROI) and value.shape not in rule.shapes:
            yield _problem(rule, "roi_shape", wanted=", ".join(rule.shapes))
        yield from _placed(rule, value, around)


def _placed(
    rule: FunctionInput,
    value: PlacedPoint | PlacedLine | PlacedROI | PlacedContour,
    around: Surroundings,
) -> Iterator[Problem]:
    """Places lie inside the volume, and on the image they name."""
    uid = InstanceUID(value.instance_uid)
    if uid not in around.instance_uids:
        yield _problem(rule, "image", uid=uid)
        return
    points = np.array(_points(value), dtype=np.float64)
    index = around.grid.to_index(points)
    outside = ((index < -0.5) | (index > np.array(around.grid.shape) - 0.5)).any(axis=1)
    if outside.any():
        x, y, z = (round(float(v), 1) for v in points[int(np.argmax(outside))])
        yield _problem(rule, "outside", x=x, y=y, z=z)
        return
    away = np.abs(index[:, 0] - around.instance_uids.index(uid))
    if away.max() > _SLACK_VOXELS:
        distance = float(away.max()) * around.grid.spacing_mm[0]
        yield _problem(rule, "off_image", distance_mm=round(distance, 1))
    elif not isinstance(value, PlacedPoint) and _extent_mm(points) < min(around.grid.spacing_mm):
        yield _problem(rule, "too_small")


def _points(value: PlacedPoint | PlacedLine | PlacedROI | PlacedContour) -> list[Any]:
    if isinstance(value, PlacedPoint):
        return [value.position_mm]
    if isinstance(value, PlacedLine):
        return [value.start_mm, value.end_mm]
    return list(value.points_mm)


def _extent_mm(points: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def _problem(rule: FunctionInput, key: str, **values: Any) -> Problem:
    return Problem(rule.name, f"functions.problem.{key}", {"input": dict(rule.title), **values})


def _open(bound: float | None) -> float | str:
    return "…" if bound is None else bound


def _names(rule: FunctionRule) -> str:
    return ", ".join(each.name for each in rule.input)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
