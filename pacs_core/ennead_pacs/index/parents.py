"""The study and series rows an instance hangs on, remembered per process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import bindparam, literal_column, select, update

from ennead.errors import UnusableObject
from ennead_pacs.index.compiling import driver_sql, insert_all
from ennead_pacs.index.tables import series, studies
from ennead_pacs.storage.header import Header

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Parent:
    """Keys of a series and of its study."""

    series_key: int
    series_uid: str
    study_key: int
    study_uid: str


class Parents:
    """Finds or creates them inside the caller's transaction."""

    def __init__(self, is_sqlite: bool) -> None:
        self._known: OrderedDict[str, Parent] = OrderedDict()
        sql = partial(driver_sql, is_sqlite=is_sqlite)
        self._find_series = sql(
            select(series.c.id, series.c.study_key, studies.c.study_uid)
            .select_from(series.join(studies, series.c.study_key == studies.c.id))
            .where(series.c.series_uid == bindparam("series_uid"))
        )
        self._find_study = sql(
            select(studies.c.id).where(studies.c.study_uid == bindparam("study_uid"))
        )
        self._insert_study = insert_all(studies, is_sqlite)
        self._insert_series = insert_all(series, is_sqlite)
        self._modalities = sql(
            select(series.c.modality).distinct().where(series.c.study_key == bindparam("key"))
        )
        self._lock_study = sql(
            select(studies.c.id).where(studies.c.id == bindparam("key")).with_for_update()
        )
        self._describe_study = sql(
            update(studies)
            .where(studies.c.id == bindparam("key"))
            .values(series_count=literal_column("series_count + 1"), modalities=bindparam("joined"))
        )

    def resolve(self, cursor: Any, header: Header, now: Any) -> Parent:
        """Keys for the object, rows created where they are missing.

        Raises
        ------
        UnusableObject
            Its series UID belongs to another study.
        """
        known = self._known.get(header.series_uid)
        if known is None:
            known = self._look_up(cursor, header) or self._create(cursor, header, now)
        if known.study_uid != header.study_uid:
            raise UnusableObject(
                f"Series {header.series_uid} belongs to study {known.study_uid}, not to "
                f"{header.study_uid}; a Series Instance UID has one study (PS3.3 §C.7.3.1)."
            )
        return known

    def keep(self, parents: Iterable[Parent]) -> None:
        """Remember what a committed transaction found or created."""
        for parent in parents:
            self._known[parent.series_uid] = parent
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Forget everything: a transaction failed, perhaps because rows went away."""
        self._known.clear()

    def _look_up(self, cursor: Any, header: Header) -> Parent | None:
        cursor.execute(self._find_series, {"series_uid": header.series_uid})
        row = cursor.fetchone()
        return Parent(row[0], header.series_uid, row[1], row[2]) if row else None

    def _create(self, cursor: Any, header: Header, now: Any) -> Parent:
        cursor.execute(self._find_study, {"study_uid": header.study_uid})
        found = cursor.fetchone()
        if found is None:
            row = header.study_row() | {
                "study_uid": header.study_uid,
                "modalities": "",
                "series_count": 0,
                "instance_count": 0,
                "received_at": now,
                "updated_at": now,
            }
            cursor.execute(self._insert_study, row)
            cursor.execute(self._find_study, {"study_uid": header.study_uid})
            found = cursor.fetchone()
        study_key = found[0]
        cursor.execute(self._lock_study, {"key": study_key})
        row = header.series_row() | {
            "series_uid": header.series_uid,
            "study_key": study_key,
            "instance_count": 0,
            "received_at": now,
            "updated_at": now,
        }
        cursor.execute(self._insert_series, row)
        created = cursor.rowcount == 1
        parent = self._look_up(cursor, header)
        if parent is None:
            raise RuntimeError("a series row vanished inside its own transaction")
        if created:
            cursor.execute(self._modalities, {"key": study_key})
            joined = "\\".join(sorted(m for (m,) in cursor.fetchall() if m))
            cursor.execute(self._describe_study, {"key": study_key, "joined": joined})
        return parent
