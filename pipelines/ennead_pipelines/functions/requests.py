"""What travels between the worker's function loop and its warm actors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ennead.codes import Code
from ennead.contracts import ClinicalFact
from ennead.findings import Finding, Map, Refusal, Result, Segment
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID
from ennead_pipelines.run.requests import JobOutput, MeasureRequest

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One call for the actor that measures.

    Parameters
    ----------
    measure : MeasureRequest
        What the results' identity and encoding need, as for every other job.
    inputs : mapping
        Canonical JSON by input name.
    segmentations : mapping
        SOP Instance UID of a segmentation that an input edits → its file.
    """

    measure: MeasureRequest
    function: str
    inputs: Mapping[str, Any]
    segmentations: Mapping[str, str] = field(default_factory=dict)
    clinical: tuple[ClinicalFact, ...] = ()


@dataclass(frozen=True, slots=True)
class PackedSegment:
    """A segment without the empty space around it: a few kilobytes instead of a volume."""

    id: str
    label: str
    box: Box
    bits: bytes
    grid: Grid
    series_uid: SeriesUID
    category: Code
    type: Code
    laterality: Code | None
    colour_rgb: tuple[int, int, int]


PackedResult = Finding | PackedSegment | Map | Refusal


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What a function said: for people at once (``listed`` has no bytes), and to be encoded.

    Parameters
    ----------
    said : mapping
        Algorithm Parameters of the models that took part.
    """

    listed: JobOutput
    results: tuple[PackedResult, ...]
    said: Mapping[str, str] = field(default_factory=dict)


def pack(result: Result) -> PackedResult:
    """A result as it travels."""
    if not isinstance(result, Segment):
        return result
    box = _box(result)
    inner = result.mask[tuple(slice(*pair) for pair in box)]
    return PackedSegment(
        id=result.id,
        label=result.label,
        box=box,
        bits=np.packbits(inner).tobytes(),
        grid=result.grid,
        series_uid=result.series_uid,
        category=result.category,
        type=result.type,
        laterality=result.laterality,
        colour_rgb=result.colour_rgb,
    )


def unpack(packed: PackedResult) -> Result:
    """The result that was packed."""
    if not isinstance(packed, PackedSegment):
        return packed
    mask = np.zeros(packed.grid.shape, dtype=bool)
    inner = mask[tuple(slice(*pair) for pair in packed.box)]
    bits = np.unpackbits(np.frombuffer(packed.bits, dtype=np.uint8), count=inner.size)
    inner[...] = bits.reshape(inner.shape).view(np.bool_)
    return Segment(
        id=packed.id,
        label=packed.label,
        mask=mask,
        grid=packed.grid,
        series_uid=packed.series_uid,
        category=packed.category,
        type=packed.type,
        laterality=packed.laterality,
        colour_rgb=packed.colour_rgb,
    )


def _box(segment: Segment) -> Box:
    mask = segment.mask
    slices = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))
    z = (int(slices[0]), int(slices[-1]) + 1)
    flat = np.asarray(mask[z[0] : z[1]].any(axis=0))
    rows, columns = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    return z, (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)
