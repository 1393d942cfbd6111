"""Ask the archive room to prepare a settled study's series for reading (metadata, thumbnails)."""

from __future__ import annotations

import structlog

from ennead.contracts import Archive
from ennead.identifiers import StudyUID

log = structlog.get_logger(__name__)


def prepare_study(archive: Archive, study_uid: StudyUID) -> None:
    """Prepare every series; one that cannot be prepared is logged and does not stop the rest."""
    prepare = getattr(archive, "prepare_series", None)
    if prepare is None:
        return
    for record in archive.series(study_uid):
        try:
            prepare(record.series_uid)
        except Exception:  # preparation is a convenience; viewing works without it
            log.exception("series not prepared", study_uid=study_uid, series_uid=record.series_uid)
