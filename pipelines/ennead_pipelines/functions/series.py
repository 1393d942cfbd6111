"""Series as functions see them: read and judged once while their instances stay the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from ennead.contracts import Archive, SeriesRecord
from ennead.errors import NotFound
from ennead.identifiers import InstanceUID, SeriesUID, StudyUID
from ennead.plugins import InputRule
from ennead_pipelines.jobs import input_digest
from ennead_pipelines.select import Candidate, Stack, Verdict, judge

#: Series whose headers are kept; a reader works on a few at a time.
KEPT: Final = 12


@dataclass(slots=True)
class ReadSeries:
    """A series with its headers.

    Parameters
    ----------
    digest : str
        Over the content of its instances; names its decoded volume as well.
    """

    candidate: Candidate
    digest: str
    _verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)

    @property
    def uid(self) -> SeriesUID:
        """Its UID."""
        return self.candidate.record.series_uid

    def judged(self, manifest_digest: str, rule: InputRule) -> Verdict:
        """What an input's rules say; asked once."""
        key = (manifest_digest, rule.name)
        if key not in self._verdicts:
            self._verdicts[key] = judge(rule, self.candidate)
        return self._verdicts[key]

    def instance_uids(self, stack: Stack) -> tuple[InstanceUID, ...]:
        """SOP Instance UID of each slice of the grid."""
        return tuple(self.candidate.instances[k].instance_uid for k in stack.order)


class SeriesReader:
    """Reads series from the archive; safe to use from many threads."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._read: OrderedDict[SeriesUID, ReadSeries] = OrderedDict()

    def study(self, study_uid: StudyUID, modalities: Collection[str]) -> list[ReadSeries]:
        """The study's series of these modalities."""
        return [
            self._of(record)
            for record in self._archive.series(study_uid)
            if record.modality in modalities and record.instance_count
        ]

    def one(self, study_uid: StudyUID, series_uid: SeriesUID) -> ReadSeries:
        """A series of the study.

        Raises
        ------
        NotFound
        """
        for record in self._archive.series(study_uid):
            if record.series_uid == series_uid:
                return self._of(record)
        raise NotFound(
            f"The study has no series {series_uid[:64]}; reload it and choose one that is there.",
            uid=series_uid[:64],
        )

    def _of(self, record: SeriesRecord) -> ReadSeries:
        instances = self._archive.instances(record.series_uid)
        digest = input_digest({"series": Candidate(record, instances)})
        with self._lock:
            kept = self._read.get(record.series_uid)
            if kept is not None and kept.digest == digest:
                self._read.move_to_end(record.series_uid)
                return kept
        headers = self._archive.metadata(record.series_uid)
        if len(headers) != len(instances):  # an instance arrived between the two questions
            instances = self._archive.instances(record.series_uid)
            headers = self._archive.metadata(record.series_uid)
            digest = input_digest({"series": Candidate(record, instances)})
        read = ReadSeries(Candidate(record, instances, headers), digest)
        with self._lock:
            self._read[record.series_uid] = read
            while len(self._read) > KEPT:
                self._read.popitem(last=False)
        return read
