"""The series of a study as the rules see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ennead import headers
from ennead.contracts import Archive, InstanceRecord, JSONAttributes, SeriesRecord
from ennead.identifiers import StudyUID

#: Series numbers that Ennead writes its own results into.
OWN_SERIES_NUMBERS = range(9000, 9900)

_MANUFACTURER, _MODEL = "00080070", "00081090"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series with its headers.

    Parameters
    ----------
    headers : sequence
        DICOM JSON Model, in the order of ``instances``; empty when the modality already decides.
    """

    record: SeriesRecord
    instances: Sequence[InstanceRecord] = field(default=())
    headers: Sequence[JSONAttributes] = field(default=())


def is_own_result(record: SeriesRecord, first_header: JSONAttributes) -> bool:
    """Whether Ennead wrote the series: a reserved number and our name as its equipment."""
    if record.number not in OWN_SERIES_NUMBERS:
        return False
    names = {headers.text(first_header, tag).casefold() for tag in (_MANUFACTURER, _MODEL)}
    return "ennead" in names


def read_candidates(
    archive: Archive, study_uid: StudyUID, modalities: Collection[str]
) -> list[Candidate]:
    """Every series of the study but our own results; headers only where a package may want them.

    Parameters
    ----------
    modalities : collection of str
        What the enabled packages accept; other series are refused by modality alone.
    """
    found = []
    for record in archive.series(study_uid):
        if record.number in OWN_SERIES_NUMBERS:
            own = archive.metadata(record.series_uid)
            if not own or is_own_result(record, own[0]):
                continue
        if record.modality not in modalities:
            found.append(Candidate(record))
            continue
        instances = archive.instances(record.series_uid)
        metadata = archive.metadata(record.series_uid)
        if len(instances) != len(metadata):  # an instance arrived between the two questions
            instances = archive.instances(record.series_uid)
            metadata = archive.metadata(record.series_uid)
        if instances:
            found.append(Candidate(record, instances, metadata))
    return found
