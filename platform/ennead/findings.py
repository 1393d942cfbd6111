"""What a package may return: findings with measurements, segments, maps, and refusals.

All of it is data. Turning it into DICOM is the work of ``ennead_pipelines.encode``; showing it is
the work of the viewer. Identifiers (``id``) are those of the package's manifest outputs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ennead.codes import Code
from ennead.errors import EmptyMask, GridMismatch
from ennead.geometry import Grid
from ennead.identifiers import (
    FrameOfReferenceUID,
    InstanceUID,
    SeriesUID,
    StudyUID,
    TrackingUID,
)

HUVolume = npt.NDArray[np.float32]
LabelVolume = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]


class RefusalCode(StrEnum):
    """Why a package or one of its functions declines (specialties page, section 0)."""

    GEOMETRY_MISSING = "GEOMETRY_MISSING"
    GEOMETRY_NONUNIFORM = "GEOMETRY_NONUNIFORM"
    NOT_ORIGINAL = "NOT_ORIGINAL"
    LOSSY = "LOSSY"
    INTENSITY_UNITS = "INTENSITY_UNITS"
    PHASE = "PHASE"
    TECHNIQUE = "TECHNIQUE"
    COVERAGE = "COVERAGE"
    CLINICAL_FACT = "CLINICAL_FACT"
    PRIOR = "PRIOR"
    MODALITY = "MODALITY"
    BODY_PART = "BODY_PART"
    NO_SERIES = "NO_SERIES"
    UNDECODABLE = "UNDECODABLE"
    NOT_FOUND = "NOT_FOUND"
    SITE_RULE = "SITE_RULE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A result that says no, with the reason a person reads.

    Parameters
    ----------
    code : RefusalCode
        Stable; counted by Prometheus and shown beside the text.
    subject : str
        What is refused: a manifest output id (``laa950``), or ``""`` for the whole package.
    text_key : str
        Key of the text catalogue (``refusal.phase.tag``); a package's own keys come first.
    values : mapping
        What the text's placeholders take: numbers with their units in the key
        (``{"kvp": 80, "rule_min": 100}``).
    series_uid : SeriesUID or None
        The series it is about, where it is about one.
    """

    code: RefusalCode
    subject: str
    text_key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    series_uid: SeriesUID | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number with unit, method and source.

    Parameters
    ----------
    id : str
        The manifest output this is (checked).
    concept, unit : Code
        What was measured, and its UCUM unit.
    value : float
        Finite. An absent value is a :class:`Refusal`, never NaN.
    method : Code or None
        Measurement method (126030 DCM …); the writer adds a text one when absent.
    derivation : Code or None
        Mean, median, 15th percentile …
    formula : str
        ``module:function`` that computed it; the portal links to its definition.
    """

    id: str
    concept: Code
    value: float
    unit: Code
    method: Code | None = None
    derivation: Code | None = None
    formula: str = ""

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ValueError(f"Measurement {self.id!r} must be finite; refuse it instead.")


@dataclass(frozen=True, slots=True)
class Segment:
    """A region on the grid of its source series.

    Parameters
    ----------
    id : str
        The manifest output this is.
    label : str
        At most 64 characters, English; the viewer translates by ``id``.
    mask : bool[z, y, x]
        At least one voxel; same grid as the source series.
    series_uid : SeriesUID
        The series whose voxels the mask selects.
    """

    id: str
    label: str
    mask: Mask
    grid: Grid
    series_uid: SeriesUID
    category: Code
    type: Code
    laterality: Code | None = None
    colour_rgb: tuple[int, int, int] = (0, 160, 220)

    def __post_init__(self) -> None:
        if self.mask.shape != self.grid.shape:
            raise GridMismatch(
                f"Segment {self.id!r} has shape {self.mask.shape}; its grid has {self.grid.shape}."
            )
        if not self.mask.any():
            raise EmptyMask(f"Segment {self.id!r} selects no voxel; return a Refusal instead.")

    def key_slice(self) -> int:
        """Index along z of the slice with the largest area."""
        return int(np.argmax(self.mask.reshape(self.mask.shape[0], -1).sum(axis=1)))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a reader accepts, edits or rejects: a measurement group (PS3.16 TID 1411/1501).

    Parameters
    ----------
    id : str
        Stable within the package and run: ``right-lung``, ``nodule-1``.
    label : str
        English, at most 64 characters.
    segment_ids : tuple of str
        Segments of the same run this finding rests on.
    key_instance_uid : InstanceUID or None
        The image to jump to; the platform fills the largest slice of the first segment if None.
    qualifiers : tuple of Code
        Coded remarks, such as partial coverage.
    urgent : bool
        Puts the study first on the worklist.
    tracking_uid : TrackingUID or None
        Of the earlier finding that this one is (one of ``context.priors``); None makes a new one.
    """

    id: str
    label: str
    finding: Code
    category: Code
    series_uid: SeriesUID
    site: Code | None = None
    laterality: Code | None = None
    measurements: tuple[Measurement, ...] = ()
    segment_ids: tuple[str, ...] = ()
    key_instance_uid: InstanceUID | None = None
    qualifiers: tuple[Code, ...] = ()
    urgent: bool = False
    tracking_uid: TrackingUID | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """A number per voxel on the grid of its source series (written as a parametric map)."""

    id: str
    label: str
    values: npt.NDArray[np.float32]
    grid: Grid
    series_uid: SeriesUID
    quantity: Code
    unit: Code


@dataclass(frozen=True, slots=True)
class PriorValue:
    """A measurement of an earlier finding, as the last reader left it; ``unit`` is UCUM."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class PriorFinding:
    """An earlier finding of the same patient and package that no reader rejected.

    Parameters
    ----------
    tracking_uid : TrackingUID
        Give it to the :class:`Finding` that is the same thing today.
    id, label : str
        The finding's own, in its run: ``nodule-1``.
    state : str
        ``proposed``, ``accepted`` or ``edited``.
    study_date : date
        Of its study; never later than today's study.
    measurements : mapping
        Measurement id → value.
    point_mm : (float, float, float) or None
        LPS mm in its own frame of reference; registering frames is the package's work.
    package_version : str
        Of the run that made it: whether its numbers compare is the package's judgement.
    """

    tracking_uid: TrackingUID
    id: str
    label: str
    state: str
    study_uid: StudyUID
    study_date: dt.date
    measurements: Mapping[str, PriorValue]
    point_mm: tuple[float, float, float] | None
    frame_of_reference_uid: FrameOfReferenceUID
    package_version: str


Result = Finding | Segment | Map | Refusal
