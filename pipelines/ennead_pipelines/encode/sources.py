"""The series a result was computed from, as the writers need it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat, PersonName

from ennead.errors import GeometryMissing, GridMismatch
from ennead.geometry import Grid
from ennead.identifiers import InstanceUID, SeriesUID, StudyUID
from ennead_pipelines.encode.items import Item, reference

#: Patient, General Study and Patient Study attributes a result shares with its source
#: (PS3.3 §C.7.1.1, §C.7.2.1, §C.7.2.2); the first ones must exist, empty if unknown (type 2).
REQUIRED_IDENTITY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
OPTIONAL_IDENTITY = (
    "IssuerOfPatientID",
    "OtherPatientIDsSequence",
    "EthnicGroup",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
    "ProcedureCodeSequence",
    "IssuerOfAccessionNumberSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "TimezoneOffsetFromUTC",
)


@dataclass(frozen=True, slots=True)
class SourceSeries:
    """Headers of one series in the order of its grid.

    Parameters
    ----------
    datasets : tuple of Dataset
        Single-frame headers without pixels; ``datasets[k]`` is slice ``k`` of ``grid``.
    grid : Grid
    """

    datasets: tuple[Dataset, ...]
    grid: Grid

    @property
    def study_uid(self) -> StudyUID:
        """The study."""
        return StudyUID(str(self.datasets[0].StudyInstanceUID))

    @property
    def series_uid(self) -> SeriesUID:
        """The series."""
        return SeriesUID(str(self.datasets[0].SeriesInstanceUID))

    def instance_uids(self) -> list[InstanceUID]:
        """SOP Instance UIDs, slice by slice."""
        return [InstanceUID(str(d.SOPInstanceUID)) for d in self.datasets]

    def positions_mm(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """float64[slices, 3]: ImagePositionPatient of each slice, LPS mm."""
        return np.array([[float(v) for v in d.ImagePositionPatient] for d in self.datasets])

    def require_geometry(self) -> None:
        """Refuse a series whose headers and grid do not tell the same geometry.

        Raises
        ------
        GeometryMissing
            A slice has no position, orientation or frame of reference (PS3.3 §C.7.6.2).
        GridMismatch
            Number, size, place or direction of the slices differ from the grid.
        """
        grid = self.grid
        for dataset in self.datasets:
            missing = [
                keyword
                for keyword in (
                    "FrameOfReferenceUID",
                    "ImagePositionPatient",
                    "ImageOrientationPatient",
                    "PixelSpacing",
                )
                if not dataset.get(keyword)
            ]
            if missing:
                raise GeometryMissing(
                    f"A segmentation needs {', '.join(missing)} in every source image; instance "
                    f"{dataset.SOPInstanceUID} has none. Refuse the series instead."
                )
        if len(self.datasets) != grid.shape[0]:
            raise GridMismatch(
                f"The grid has {grid.shape[0]} slices; {len(self.datasets)} headers were given. "
                "Pass one header per slice, in grid order."
            )
        first = self.datasets[0]
        if (int(first.Rows), int(first.Columns)) != grid.shape[1:]:
            raise GridMismatch(
                f"Source images are {first.Rows} × {first.Columns}; the grid is {grid.shape[1:]}."
            )
        if str(first.FrameOfReferenceUID) != grid.frame_of_reference_uid:
            raise GridMismatch("The grid names another frame of reference than its images.")
        expected = grid.to_patient([[k, 0, 0] for k in range(grid.shape[0])])
        gap = np.abs(expected - self.positions_mm()).max()
        if gap > 0.5 * min(grid.spacing_mm):
            raise GridMismatch(
                f"Source positions leave the grid by {gap:.3f} mm; are the headers in grid order?"
            )
        directions = np.array([float(v) for v in first.ImageOrientationPatient])
        if np.abs(directions - np.ravel([grid.axes[2], grid.axes[1]])).max() > 1e-3:
            raise GridMismatch("The grid's row and column directions are not those of its images.")


def identity_of(dataset: Dataset) -> Dataset:
    """Patient and study attributes of ``dataset``, its text in Unicode.

    Returns
    -------
    Dataset
        With SpecificCharacterSet ``ISO_IR 192``; type 2 attributes present, empty when unknown.
    """
    found = Dataset()
    for keyword in (*REQUIRED_IDENTITY, *OPTIONAL_IDENTITY):
        element = _readable(dataset, keyword)
        if element is not None:
            found[keyword] = copy.deepcopy(_in_unicode(element))
        elif keyword in REQUIRED_IDENTITY:
            setattr(found, keyword, "")
    found.SpecificCharacterSet = "ISO_IR 192"
    found.StudyInstanceUID = str(dataset.StudyInstanceUID)
    return found


@contextmanager
def as_received() -> Iterator[None]:
    """Take values of received objects as they are: too long, too many, oddly spelt.

    Patient and study of a result must be those of its source to the letter, so pydicom's warnings
    about them are no news here.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
        yield


def decimals(values: Iterable[float | str]) -> list[DSfloat]:
    """Decimal strings as they were received, rounded to sixteen characters where they have more.

    Sixteen characters keep a position to better than 1e-9 mm (PS3.5 §6.2, DS).
    """
    return [
        DSfloat(value) if len(str(value)) <= 16 else DSfloat(float(value), auto_format=True)
        for value in values
    ]


def _readable(dataset: Dataset, keyword: str) -> DataElement | None:
    """The element, or None when it is absent or its bytes are no value of its kind."""
    try:
        return dataset[keyword] if keyword in dataset else None
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        return None


def _in_unicode(element: DataElement) -> DataElement:
    """``element`` with its text decoded, so that it may be written in another character set.

    Reading an element decodes it; a person name keeps its bytes, and an item of a sequence keeps
    elements that were never read.
    """
    if element.VR == "PN":
        name = PersonName(str(element.value or ""))
        return DataElement(element.tag, "PN", name)
    if element.VR == "SQ":
        items = []
        for item in element.value:
            decoded = Dataset()
            for nested in item:
                decoded[nested.tag] = _in_unicode(nested)
            items.append(decoded)
        return DataElement(element.tag, "SQ", items)
    return element


def references(datasets: Sequence[Dataset]) -> list[Item]:
    """One reference per dataset."""
    return [reference(str(d.SOPClassUID), str(d.SOPInstanceUID)) for d in datasets]
