"""What a segmentation and a report of one run have in common: series, equipment, dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from ennead.errors import EncodedResultInvalid
from ennead.identifiers import InstanceUID, SeriesUID
from ennead.plugins.manifest import Manifest
from ennead_pipelines.encode.codes import PROCESSING_EQUIPMENT, code_dataset, coding_scheme_items
from ennead_pipelines.encode.identity import ResultIdentity

MANUFACTURER = "Ennead"
#: Names this writer in the file meta information (PS3.7 §D.3.3.2).
IMPLEMENTATION_UID = "2.25.140443180129843926640349143530853246464"
IMPLEMENTATION_NAME = "ENNEAD_ENCODE"
AlgorithmType = Literal["AUTOMATIC", "SEMIAUTOMATIC"]
_LONG_STRING = 64
FIRST_SERIES_NUMBER = 9000
SERIES_BLOCK = 100


@dataclass(frozen=True, slots=True)
class Run:
    """What every object of a run states about where it comes from.

    Parameters
    ----------
    organisation : str
        Institution in whose name the objects are written.
    parameters : tuple of str
        ``key=value``, sorted (TID 4019 Algorithm Parameters).
    at : datetime
        Content date and time; no UID depends on it.
    algorithm_type : str
        Of every segment.
    """

    manifest: Manifest
    identity: ResultIdentity
    organisation: str
    parameters: tuple[str, ...]
    at: dt.datetime
    language: str
    algorithm_type: AlgorithmType = "AUTOMATIC"

    @property
    def title(self) -> str:
        """English name of the package."""
        return self.manifest.title.get("en", self.manifest.id)

    def series_description(self) -> str:
        """``AI <package> <version> UNVERIFIED``; the name gives way to the 64 characters of LO."""
        frame = f"AI {{}} {self.manifest.version} UNVERIFIED"
        return frame.format(self.title[: _LONG_STRING - len(frame.format(""))])


def new_object(
    run: Run,
    identity: Dataset,
    *,
    sop_class_uid: str,
    instance_uid: InstanceUID,
    series_uid: SeriesUID,
    modality: str,
    series_offset: int,
    transfer_syntax_uid: str,
) -> Dataset:
    """A dataset with patient, study, series, equipment and SOP common modules filled.

    Notes
    -----
    PS3.3 §C.7.1, §C.7.2, §C.7.3, §C.7.5, §C.12.1.
    """
    dataset = Dataset()
    dataset.update(identity)
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = instance_uid
    dataset.SeriesInstanceUID = series_uid
    dataset.Modality = modality
    dataset.SeriesNumber = (
        FIRST_SERIES_NUMBER + SERIES_BLOCK * run.manifest.series_block + series_offset
    )
    dataset.SeriesDescription = run.series_description()
    dataset.InstanceNumber = 1
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = run.title[:_LONG_STRING]
    dataset.DeviceSerialNumber = run.identity.manifest_digest.removeprefix("sha256:")[:16]
    dataset.SoftwareVersions = run.manifest.version
    if run.organisation:
        dataset.InstitutionName = run.organisation[:_LONG_STRING]
    dataset.CodingSchemeIdentificationSequence = coding_scheme_items()
    dataset.ContributingEquipmentSequence = [_processing_equipment(run)]
    set_dates(dataset, run.at)
    set_file_meta(dataset, transfer_syntax_uid)
    return dataset


def set_dates(dataset: Dataset, at: dt.datetime) -> None:
    """Date the content and the series' instance."""
    local = local_time(dataset, at)
    date, time = local.strftime("%Y%m%d"), local.strftime("%H%M%S.%f")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time


def local_time(dataset: Dataset, at: dt.datetime) -> dt.datetime:
    """``at`` in the time zone the dataset declares for its dates, or in that of this machine.

    Timezone Offset From UTC applies to every date of an object (PS3.3 §C.12.1.1.8), so a result
    that inherits one from its source must follow it.
    """
    offset = str(dataset.get("TimezoneOffsetFromUTC") or "")
    try:
        return at.astimezone(dt.datetime.strptime(offset, "%z").tzinfo)
    except ValueError:
        return at.astimezone()


def set_file_meta(dataset: Dataset, transfer_syntax_uid: str) -> None:
    """File Meta Information (PS3.10 §7.1)."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.file_meta = meta


def part10(dataset: Dataset) -> bytes:
    """The object as a Part 10 file.

    Raises
    ------
    EncodedResultInvalid
        A value cannot be written as its value representation.
    """
    buffer = DicomBytesIO()
    # Elements that are bytes already (encode.items) then go out as they are.
    dataset.set_original_encoding(False, True, dataset._character_set)
    try:
        dcmwrite(buffer, dataset, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise EncodedResultInvalid(
            f"The {dataset.Modality} object {dataset.SOPInstanceUID} cannot be written: "
            f"{type(error).__name__}."
        ) from error
    return bytes(buffer.getvalue())


def _processing_equipment(run: Run) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_dataset(PROCESSING_EQUIPMENT)]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = run.title[:_LONG_STRING]
    item.SoftwareVersions = run.manifest.version
    item.ContributionDescription = f"Package {run.manifest.id}"
    return item
