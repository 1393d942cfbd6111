"""From the UIDs of an address to rows and files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row

from ennead.database import Database
from ennead.errors import IntegrityLost, NotFound
from ennead.identifiers import check_uid
from ennead.settings import Settings
from ennead_pacs.archive import checked_path, find_row, verify_file
from ennead_pacs.index.search import InstanceQuery, search_instances
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.prepare.pixels import PixelLayout, read_layout

_HELD: Final = 20_000


@dataclass(slots=True)
class Place:
    """One stored instance: its index row, its verified file and, once asked for, its layout."""

    row: Row[Any]
    path: Path
    _layout: PixelLayout | None = None

    @property
    def location(self) -> str:
        """The instance's address under ``/dicom-web``."""
        return location_of(self.row)

    def layout(self) -> PixelLayout:
        """Image attributes and frame positions.

        Raises
        ------
        NotFound
            The instance has no pixel data.
        UnusableObject, MalformedObject
            See :func:`ennead_pacs.prepare.pixels.read_layout`.
        """
        if self._layout is None:
            with Part10(self.path) as file:
                self._layout = read_layout(file)
            if self._layout is None:
                raise NotFound(
                    f"Instance {self.row.instance_uid} has no pixel data, so no frames.",
                    instance_uid=self.row.instance_uid,
                )
        return self._layout


class Places:
    """Finds instances; remembers those that were verified, as stored objects never change."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[Place, tuple[int, int, int]]] = OrderedDict()

    def find(self, study_uid: str, series_uid: str, instance_uid: str) -> Place:
        """The instance, when it lies in that series and study.

        The first time, and whenever the file's inode, size or time has changed, its bytes are
        compared with the recorded SHA-256.

        Raises
        ------
        InvalidUID, NotFound, IntegrityLost
        """
        with self._lock:
            held = self._held.get(instance_uid)
        if held is not None:
            place, stamp = held
            if place.row.series_uid == series_uid and place.row.study_uid == study_uid:
                try:
                    if _stamp(place.path) == stamp:
                        return place
                except OSError:
                    pass  # healed or lost: look again
        for uid, what in ((study_uid, "study"), (series_uid, "series"), (instance_uid, "instance")):
            check_uid(uid, f"The {what} UID")
        with self._database.read() as connection:
            row = find_row(connection, instance_uid)
        if row.series_uid != series_uid or row.study_uid != study_uid:
            raise NotFound(f"No instance {instance_uid} in series {series_uid}.")
        return self.of_row(row)

    def of_row(self, row: Row[Any]) -> Place:
        """The verified place of an index row.

        Raises
        ------
        IntegrityLost
        """
        path = checked_path(self._settings, row)
        try:
            stamp = _stamp(path)
        except OSError as error:
            raise IntegrityLost(f"The file of instance {row.instance_uid} vanished.") from error
        with self._lock:
            held = self._held.get(row.instance_uid)
        if held is not None and held[1] == stamp and held[0].path == path:
            return held[0]
        verify_file(path, row)
        place = Place(row, path)
        with self._lock:
            self._held[row.instance_uid] = (place, stamp)
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return place


def rows_of(connection: Connection, study_uid: str, series_uid: str = "") -> list[Row[Any]]:
    """Index rows of a study or a series, by series, number and arrival.

    Raises
    ------
    InvalidUID, NotFound
    """
    filters = {"StudyInstanceUID": check_uid(study_uid, "The study UID")}
    if series_uid:
        filters["SeriesInstanceUID"] = check_uid(series_uid, "The series UID")
    rows = list(search_instances(connection, InstanceQuery(filters)))
    if not rows:
        what = f"series {series_uid} in study {study_uid}" if series_uid else f"study {study_uid}"
        raise NotFound(f"No {what}; it may not have arrived yet.")
    return rows


def location_of(row: Row[Any]) -> str:
    """An instance's address under ``/dicom-web``."""
    return (
        f"/dicom-web/studies/{row.study_uid}/series/{row.series_uid}/instances/{row.instance_uid}"
    )


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
