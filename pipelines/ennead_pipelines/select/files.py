"""A series that lies in files, as the archive would describe it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread

from ennead.contracts import InstanceRecord, SeriesRecord
from ennead.identifiers import (
    InstanceUID,
    SeriesUID,
    SOPClassUID,
    StudyUID,
    TransferSyntaxUID,
)
from ennead_pipelines.select.candidates import Candidate


def candidate_of(paths: Sequence[Path]) -> tuple[Candidate, dict[InstanceUID, Path]]:
    """The files of one series as a candidate, and where each instance is.

    Raises
    ------
    InvalidDicomError
        One of them is no DICOM file.
    """
    instances, headers, by_uid = [], [], {}
    for path in paths:
        dataset = dcmread(path, stop_before_pixels=True)
        uid = InstanceUID(str(dataset.SOPInstanceUID))
        by_uid[uid] = path
        headers.append(dataset.to_json_dict())
        instances.append(
            InstanceRecord(
                study_uid=StudyUID(str(dataset.StudyInstanceUID)),
                series_uid=SeriesUID(str(dataset.SeriesInstanceUID)),
                instance_uid=uid,
                sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
                transfer_syntax_uid=TransferSyntaxUID(str(dataset.file_meta.TransferSyntaxUID)),
                number=int(dataset.InstanceNumber),
                frames=1,
                size_bytes=path.stat().st_size,
                sha256="",
            )
        )
    first = instances[0]
    record = SeriesRecord(
        first.study_uid, first.series_uid, str(dataset.Modality), 1, "", "", len(instances)
    )
    return Candidate(record, instances, headers), by_uid
