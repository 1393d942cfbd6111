"""The archive as other rooms see it: :class:`ennead.contracts.Archive` over index and ingest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.contracts import (
    InstanceRecord,
    JSONAttributes,
    SeriesRecord,
    StoreOutcome,
    StudyRecord,
)
from ennead.database import Database
from ennead.errors import IntegrityLost, NotFound
from ennead.identifiers import InstanceUID, SeriesUID, StudyUID
from ennead.settings import Settings
from ennead_pacs import index
from ennead_pacs.index.tables import LOST
from ennead_pacs.ingest import Ingest
from ennead_pacs.prepare.series import prepare_series, prepared_series

_CHUNK = 1024 * 1024


class LocalArchive:
    """Index in the database, objects in files. Safe to use from many threads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._ingest: Ingest | None = None

    def study(self, study_uid: StudyUID) -> StudyRecord:
        """Raises :class:`ennead.errors.NotFound`."""
        with self._database.read() as connection:
            found = index.find_study(connection, study_uid)
        if found is None:
            raise _not_found("study", study_uid)
        return found

    def series(self, study_uid: StudyUID) -> Sequence[SeriesRecord]:
        """All series of a study, by series number then UID; empty for an unknown study."""
        with self._database.read() as connection:
            return index.list_series(connection, study_uid)

    def instances(self, series_uid: SeriesUID) -> Sequence[InstanceRecord]:
        """All instances of a series, by instance number then UID; empty for an unknown series."""
        with self._database.read() as connection:
            return index.list_instances(connection, series_uid)

    def find_instance(self, instance_uid: InstanceUID) -> InstanceRecord | None:
        """The record, or None."""
        with self._database.read() as connection:
            row = index.find_instance(connection, instance_uid)
        return index.instance_record(row) if row else None

    def metadata(self, series_uid: SeriesUID) -> Sequence[JSONAttributes]:
        """The headers of a series in the order of :meth:`instances`; bulk data by reference."""
        with self._database.read() as connection:
            prepared = prepared_series(connection, self._settings, series_uid)
        headers: list[JSONAttributes] = json.loads(prepared.metadata) if prepared else []
        return headers

    def prepare_series(self, series_uid: SeriesUID) -> None:
        """Make metadata and thumbnail ready to be served; what is ready already costs nothing."""
        from ennead_pacs.prepare.thumbnail import prepared_thumbnail

        with self._database.read() as connection:
            if prepare_series(connection, self._settings, series_uid):
                prepared_thumbnail(connection, self._settings, series_uid)

    def path(self, instance_uid: InstanceUID) -> Path:
        """A local, read-only Part 10 file.

        Raises
        ------
        NotFound
            No such instance.
        IntegrityLost
            The index knows it, but its file is missing or has another length.
        """
        with self._database.read() as connection:
            row = find_row(connection, instance_uid)
        return checked_path(self._settings, row)

    def paths(self, series_uid: SeriesUID) -> Mapping[InstanceUID, Path]:
        """The files of a series' instances, asked for at once; empty for an unknown series.

        Raises
        ------
        IntegrityLost
            A file is missing or has another length.
        """
        query = index.InstanceQuery({"SeriesInstanceUID": series_uid})
        with self._database.read() as connection:
            rows = index.search_instances(connection, query)
        return {InstanceUID(row.instance_uid): checked_path(self._settings, row) for row in rows}

    def verify(self, instance_uid: InstanceUID) -> None:
        """Read the whole file and compare it with the recorded SHA-256.

        Raises
        ------
        NotFound, IntegrityLost
        """
        with self._database.read() as connection:
            row = find_row(connection, instance_uid)
        verify_file(checked_path(self._settings, row), row)

    def store(self, part10: bytes, *, source: str) -> StoreOutcome:
        """Durable before it returns; identical content is a no-op.

        Raises
        ------
        Conflict, MalformedObject, UnusableObject, LimitExceeded, OutOfResources
        """
        if self._ingest is None:
            self._ingest = Ingest(self._settings, self._database)
        return self._ingest.store(part10, source=source)

    def close(self) -> None:
        """Give unused storage slots back."""
        if self._ingest is not None:
            self._ingest.close()


def open_archive(settings: Settings, database: Database) -> LocalArchive:
    """The archive of this instance."""
    return LocalArchive(settings, database)


def checked_path(settings: Settings, row: Row[Any]) -> Path:
    """The file of an index row, when it is there with its recorded length.

    Raises
    ------
    IntegrityLost
        It is missing, marked lost, or has another length.
    """
    path = settings.objects_dir / row.location
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _lost(row.instance_uid, f"cannot be opened ({error.strerror})") from error
    if size != row.size_bytes or row.state == LOST:
        raise _lost(row.instance_uid, f"has {size} bytes instead of {row.size_bytes}")
    return path


def verify_file(path: Path, row: Row[Any]) -> None:
    """Compare the dataset bytes with the recorded hash.

    Raises
    ------
    IntegrityLost
        They differ; the object must not be served.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(row.dataset_offset)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != row.sha256:
        raise _lost(row.instance_uid, "does not match its recorded SHA-256")


def find_row(connection: Connection, instance_uid: str) -> Row[Any]:
    """The index row of an instance, with ``location`` and the UIDs above it.

    Raises
    ------
    NotFound
        No such instance.
    IntegrityLost
        The startup sweep found its file missing.
    """
    row = index.find_instance(connection, instance_uid)
    if row is None:
        lost = connection.execute(
            select(index.instances.c.state).where(
                index.instances.c.instance_uid == instance_uid, index.instances.c.state == LOST
            )
        ).one_or_none()
        if lost is not None:
            raise _lost(instance_uid, "was found missing by the startup sweep")
        raise _not_found("instance", instance_uid)
    return row


def _not_found(what: str, uid: str) -> NotFound:
    return NotFound(f"No {what} has the UID {uid[:64]}; it may not have arrived yet.", uid=uid[:64])


def _lost(uid: str, why: str) -> IntegrityLost:
    return IntegrityLost(
        f"The stored file of instance {uid} {why}; it is not served. Restore it from a backup or "
        "send it again, and look at the storage.",
        instance_uid=uid,
    )
