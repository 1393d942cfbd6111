"""What travels to a Ray task and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from ennead.contracts import Anatomy, JSONAttributes, Volume
from ennead.findings import Finding, Refusal
from ennead.geometry import Grid
from ennead.identifiers import InstanceUID, JobID, SeriesUID, StudyUID, TrackingUID
from ennead.plugins import Manifest, ProbeRule
from ennead_pipelines.given.given import Given
from ennead_pipelines.jobs.terms import ROUTINE
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.sandbox.plan import SandboxPlan


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One series to decode: files and headers in the order of ``grid``."""

    study_uid: StudyUID
    series_uid: SeriesUID
    modality: str
    grid: Grid
    instance_uids: tuple[InstanceUID, ...]
    paths: tuple[str, ...]
    rescale: tuple[tuple[float, float], ...]
    attributes: JSONAttributes
    decode_limit_bytes: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the decoded float32 volume."""
        z, y, x = self.grid.shape
        return 4 * z * y * x


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One series and the rules that its slices must keep."""

    request: LoadRequest
    rules: tuple[ProbeRule, ...]


@dataclass(frozen=True, slots=True)
class Probed:
    """What looking at a job's series gave: refusals by broken rules, and how long it took."""

    refusals: tuple[Refusal, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """A decoded series, and how long decoding took."""

    volume: Volume
    paths: tuple[str, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class AnatomyFound:
    """The anatomy of one provider in one series, how long finding it took, and when it ended."""

    anatomy: Anatomy
    duration_s: float
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class AnatomyPart:
    """Which structures of which input a provider was asked for.

    Parameters
    ----------
    shared : bool
        It was found for another job.
    """

    input: str
    structures: tuple[str, ...]
    shared: bool


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """One job for a Ray worker.

    Parameters
    ----------
    inputs : tuple of str
        Manifest input names, in the order of the volumes that come with the request.
    shared : bool
        The volumes were decoded for another job.
    declined : tuple of str
        Outputs refused before the run.
    at : datetime
        Written as the results' content date: the job's creation, so that a repeated run writes
        the same bytes.
    network : ModelSource or None
        The model that runs as this package; None for a package with code.
    models : tuple of ModelSource
        Models that the package may ask.
    sandbox : SandboxPlan or None
        How the package runs apart; None runs it in the worker's own process.
    given : Given
        Facts and earlier findings.
    anatomy : tuple of AnatomyPart
        In the order of what comes with the request after the volumes.
    priority : int
        Of the job (:mod:`ennead_pipelines.jobs.terms`).
    """

    job_id: JobID
    study_uid: StudyUID
    manifest: Manifest
    manifest_digest: str
    input_digest: str
    parameters_digest: str
    inputs: tuple[str, ...]
    shared: bool
    declined: tuple[str, ...]
    thresholds: Mapping[str, float]
    organisation: str
    seg_encoding: str
    at: dt.datetime
    network: ModelSource | None = None
    models: tuple[ModelSource, ...] = ()
    sandbox: SandboxPlan | None = None
    given: Given = field(default_factory=Given)
    anatomy: tuple[AnatomyPart, ...] = ()
    priority: int = ROUTINE


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """A segment without its mask."""

    id: str
    label: str
    number: int
    colour_rgb: tuple[int, int, int]
    series_uid: SeriesUID


@dataclass(frozen=True, slots=True)
class FindingSummary:
    """A finding with what only the run knows: where to look, and its Tracking UID."""

    finding: Finding
    tracking_uid: TrackingUID
    key_instance_uid: InstanceUID | None
    point_mm: tuple[float, float, float]
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, slots=True)
class JobOutput:
    """What a job hands back: objects to store, findings to list, refusals, stage times in s.

    Parameters
    ----------
    anatomy_at : datetime or None
        When the anatomy that was found for this job was there; None where it found none itself.
    """

    seg: bytes | None
    seg_instance_uid: str
    seg_series_uid: str
    sr: bytes | None
    sr_instance_uid: str
    sr_series_uid: str
    content_digest: str
    findings: tuple[FindingSummary, ...]
    segments: tuple[SegmentSummary, ...]
    refusals: tuple[Refusal, ...]
    slices: int
    shared: bool
    durations_s: Mapping[str, float]
    anatomy_at: dt.datetime | None = None
