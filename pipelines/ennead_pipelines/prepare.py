"""Ask the archive room to prepare a settled study's series for reading (metadata, thumbnails)."""

from __future__ import annotations

import threading
from queue import Queue

import structlog

from ennead.contracts import Archive
from ennead.identifiers import StudyUID

log = structlog.get_logger(__name__)


class Preparer:
    """Prepares settled studies beside the pipelines, which must not wait for it.

    Preparation is a convenience that viewing works without: what a crash leaves undone is done
    when it is first asked for.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._studies: Queue[StudyUID | None] = Queue()
        self._thread = threading.Thread(target=self._run, name="prepare", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the series under way."""
        self._studies.put(None)
        self._thread.join(timeout=10)

    def add(self, study_uid: StudyUID) -> None:
        """Prepare the study soon."""
        self._studies.put(study_uid)

    def _run(self) -> None:
        while (study_uid := self._studies.get()) is not None:
            prepare_study(self._archive, study_uid)


def prepare_study(archive: Archive, study_uid: StudyUID) -> None:
    """Prepare every series; one that cannot be prepared is logged and does not stop the rest."""
    prepare = getattr(archive, "prepare_series", None)
    if prepare is None:
        return
    try:
        for record in archive.series(study_uid):
            prepare(record.series_uid)
    except Exception:
        log.exception("study not prepared", study_uid=study_uid)
