"""The contracts between rooms. Implementations are found, not imported.

``Archive`` (images in, images out), ``Worklist`` (clinical facts from the RIS), ``ModelRunner``
(networks), ``Pipeline`` (what a specialty package implements), and ``Service`` (what a room
registers with the launcher under the entry-point group ``ennead.services``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ennead.errors import NotFound
from ennead.findings import LabelVolume, Mask, PriorFinding, Result
from ennead.geometry import Grid
from ennead.identifiers import (
    InstanceUID,
    PatientID,
    SeriesUID,
    SOPClassUID,
    StudyUID,
    TransferSyntaxUID,
)

if TYPE_CHECKING:
    from fastapi import APIRouter

    from ennead.settings import Settings

JSONAttributes = Mapping[str, Any]
"""One instance's header in the DICOM JSON Model (PS3.18 §F.2), without bulk data."""


# --- Archive -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What the index knows of a study. Names are NFC; ``attributes`` keeps the rest."""

    study_uid: StudyUID
    patient_id: PatientID
    patient_name: str
    modalities: tuple[str, ...]
    description: str
    study_date: str
    study_time: str
    accession_number: str
    series_count: int
    instance_count: int
    received_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """What the index knows of a series."""

    study_uid: StudyUID
    series_uid: SeriesUID
    modality: str
    number: int | None
    description: str
    body_part: str
    instance_count: int


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One stored object.

    ``sha256`` is over the dataset bytes (after the File Meta Information), so that a preamble or
    an implementation version does not make two copies differ.
    """

    study_uid: StudyUID
    series_uid: SeriesUID
    instance_uid: InstanceUID
    sop_class_uid: SOPClassUID
    transfer_syntax_uid: TransferSyntaxUID
    number: int | None
    frames: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """``stored`` is False when an identical object was already there (idempotent)."""

    instance_uid: InstanceUID
    study_uid: StudyUID
    stored: bool
    sha256: str


@runtime_checkable
class Archive(Protocol):
    """Images in, images out. Every method may raise :class:`ennead.errors.ArchiveError`."""

    def study(self, study_uid: StudyUID) -> StudyRecord:
        """Raises :class:`ennead.errors.NotFound`."""
        ...

    def series(self, study_uid: StudyUID) -> Sequence[SeriesRecord]:
        """All series of a study, by series number then UID."""
        ...

    def instances(self, series_uid: SeriesUID) -> Sequence[InstanceRecord]:
        """All instances of a series, by instance number then UID."""
        ...

    def find_instance(self, instance_uid: InstanceUID) -> InstanceRecord | None:
        """The record, or None."""
        ...

    def metadata(self, series_uid: SeriesUID) -> Sequence[JSONAttributes]:
        """The headers of a series in the order of :meth:`instances`."""
        ...

    def path(self, instance_uid: InstanceUID) -> Path:
        """A local, read-only Part 10 file. Raises NotFound, IntegrityLost."""
        ...

    def paths(self, series_uid: SeriesUID) -> Mapping[InstanceUID, Path]:
        """The files of a series' instances, as :meth:`path` gives each. Raises IntegrityLost."""
        ...

    def store(self, part10: bytes, *, source: str) -> StoreOutcome:
        """Durable before it returns; identical content is a no-op; raises Conflict otherwise."""
        ...


# --- Worklist (RIS) ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClinicalFact:
    """A fact from the RIS with where it came from and when it was true."""

    name: str
    value: str
    unit: str
    source: str
    observed_at: dt.datetime


@runtime_checkable
class Worklist(Protocol):
    """Clinical facts and priorities of a study."""

    def facts(self, study_uid: StudyUID) -> Sequence[ClinicalFact]:
        """Facts known for the study's patient."""
        ...

    def is_urgent(self, study_uid: StudyUID) -> bool:
        """Whether the request was marked STAT."""
        ...


# --- Models ------------------------------------------------------------------------------------


@runtime_checkable
class ModelRunner(Protocol):
    """A network with its weights loaded."""

    def predict(
        self, values: npt.NDArray[np.float32], grid: Grid
    ) -> npt.NDArray[np.uint16] | npt.NDArray[np.float32]:
        """``float32[c, z, y, x]`` in model units → labels or probabilities on ``grid``."""
        ...


# --- Packages ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Volume:
    """One series, decoded once and shared by every package.

    Parameters
    ----------
    values : float32[z, y, x]
        Rescaled: HU for CT. Read-only (it lives in the object store).
    grid : Grid
        Slices sorted along the stack normal; ``instance_uids[k]`` is the source of slice ``k``.
    attributes : mapping
        Header of the first slice, DICOM JSON Model; use :func:`ennead.headers.text` and friends.
    """

    values: npt.NDArray[np.float32]
    grid: Grid
    study_uid: StudyUID
    series_uid: SeriesUID
    modality: str
    instance_uids: tuple[InstanceUID, ...]
    attributes: JSONAttributes


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What an installed network says of one volume.

    Parameters
    ----------
    model, version, digest : str
        Which one; the digest enters the identity of the results made from it.
    trained_on : str
        The training material, to be said where the results are.
    labels : uint16[z, y, x] or None
        On the volume's grid; 0 is nothing. None for a classifier.
    values : mapping
        Label id → its value in ``labels``.
    scores : mapping
        For a classifier: label id → score of 0 to 1.
    """

    model: str
    version: str
    digest: str
    trained_on: str
    labels: LabelVolume | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    def mask(self, label_id: str) -> Mask:
        """bool[z, y, x] of a label; selects nothing where it was not found.

        Raises
        ------
        NotFound
            The model has no such label, or gives no labels.
        """
        if self.labels is None or label_id not in self.values:
            known = ", ".join(sorted(self.values)) if self.labels is not None else "none"
            raise NotFound(
                f"Model {self.model} {self.version} segments no {label_id!r}; it segments {known}."
            )
        return np.asarray(self.labels == self.values[label_id])


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What lies where in one volume; computed once per series and shared by every package.

    Parameters
    ----------
    labels : uint8 or uint16[z, y, x]
        On the volume's grid; 0 is nothing. Read-only (it lives in the object store).
    structures : mapping
        Name → the label values that make it up: ``lungs`` is ``right_lung`` and ``left_lung``.
    provider, version : str
        Who found it; both enter the identity of the results made from it.
    quality : mapping
        Numbers by which it can be judged, units in their names; see the provider's page.
    landmarks_mm : mapping
        Points in LPS mm that the provider is sure of, by name.
    """

    labels: npt.NDArray[np.uint8] | LabelVolume
    structures: Mapping[str, tuple[int, ...]]
    provider: str
    version: str
    quality: Mapping[str, float] = field(default_factory=dict)
    landmarks_mm: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    def mask(self, structure: str) -> Mask:
        """bool[z, y, x] of a structure; selects nothing where it was sought and not found.

        Raises
        ------
        NotFound
            The provider does not look for this structure.
        """
        if structure not in self.structures:
            known = ", ".join(sorted(self.structures))
            raise NotFound(
                f"Anatomy of {self.provider} has no structure {structure!r}; it has {known}. Name "
                "it in the input's anatomy list of package.toml."
            )
        table = np.zeros(int(np.iinfo(self.labels.dtype).max) + 1, dtype=bool)
        table[list(self.structures[structure])] = True
        return np.asarray(table[self.labels])


@runtime_checkable
class AnatomyProvider(Protocol):
    """Finds anatomy in a volume: a classical method, or a segmentation model. Deterministic."""

    id: str
    version: str
    """Raised whenever the same volume may give other labels."""

    @property
    def structures(self) -> Sequence[str]:
        """Every structure it looks for."""
        ...

    def fits(self, volume: Volume) -> bool:
        """Whether it can be asked about this volume; looks at modality and grid, not at voxels."""
        ...

    def compute(self, volume: Volume) -> Anatomy:
        """The anatomy on the volume's own grid."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: ``fraction`` of 0–1 and a text key."""

    fraction: float
    text_key: str


class ProgressSink(Protocol):
    """Receives progress; may be called as often as a package likes."""

    def __call__(self, fraction: float, text_key: str) -> None:
        """Report ``fraction`` (0–1) done, doing ``text_key``."""
        ...


def _silent(fraction: float, text_key: str) -> None:
    del fraction, text_key


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a package is given; it has no way to the archive, the database or the network.

    ``volumes`` maps each manifest input name to the series chosen for it; an optional input that
    found nothing is absent. ``declined`` names outputs that the platform has already refused for
    these series (manifest requirements with ``outputs``); they need not be computed, and what is
    returned for them is dropped. ``anatomy`` maps an input's name to the structures that its
    manifest rule asks for. ``priors`` are earlier findings of this patient and package that no
    reader rejected, newest first; a finding that is one of them carries its ``tracking_uid`` on.
    ``clinical`` holds the facts that the manifest names and that are known. ``models`` has those
    of the manifest's models that are installed and active, by id; ask one with a volume.
    """

    volumes: Mapping[str, Volume]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    clinical: Sequence[ClinicalFact] = ()
    progress: ProgressSink = _silent
    declined: frozenset[str] = frozenset()
    anatomy: Mapping[str, Anatomy] = field(default_factory=dict)
    priors: Sequence[PriorFinding] = ()
    models: Mapping[str, Callable[[Volume], ModelAnswer]] = field(default_factory=dict)


@runtime_checkable
class Pipeline(Protocol):
    """A specialty package's work. Pure: same context, same results."""

    def run(self, context: RunContext) -> Iterable[Result]:
        """Findings, segments, maps and refusals; never None, never silence."""
        ...


# --- Services ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process the launcher keeps alive.

    Parameters
    ----------
    name : str
        Shown by ``/readyz`` and logs: ``dimse``, ``worker``.
    target : str
        ``module:function`` called as ``function(settings, ready, stop)`` in a fresh process:
        ``ready()`` is called once when serving; ``stop`` is a ``threading.Event`` set by SIGTERM,
        after which the function drains and returns within ``drain_s``.
    count : int
        How many copies run side by side.
    """

    name: str
    target: str
    count: int = 1
    drain_s: float = 20.0


@runtime_checkable
class Service(Protocol):
    """What a room offers the launcher. The entry point names a module-level instance.

    Importing the module must be cheap: heavy imports happen inside the methods or the targets.
    """

    name: str

    def processes(self, settings: Settings) -> Sequence[ProcessSpec]:
        """Processes to supervise besides the web process."""
        ...

    def routers(self, settings: Settings) -> Sequence[APIRouter]:
        """HTTP routes to mount in the web process, with their full paths."""
        ...

    def startup(self, settings: Settings) -> None:
        """Called once by the supervisor after migration and before any process starts."""
        ...
