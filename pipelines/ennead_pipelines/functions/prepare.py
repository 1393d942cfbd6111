"""A viewer opens: the series it shows is decoded before anything is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ennead import events
from ennead.identifiers import SeriesUID, StudyUID
from ennead_pipelines.jobs import JobState
from ennead_pipelines.tables import jobs

#: Kind of the event in the outbox; its payload names package, input and series.
PREPARE: Final = "functions.prepare"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A series to hold ready, as one input of one package reads it."""

    study_uid: StudyUID
    series_uid: SeriesUID
    package: str
    input: str


def ask(connection: Connection, wanted: Sequence[Wanted]) -> None:
    """Tell every worker."""
    for each in wanted:
        events.publish(
            connection,
            PREPARE,
            study_uid=each.study_uid,
            payload={"series": each.series_uid, "package": each.package, "input": each.input},
        )


class Watch:
    """One worker's look at the database: is there a call, and what is to be held ready."""

    def __init__(self) -> None:
        self._position: tuple[int, int] | None = None

    def look(self, connection: Connection) -> tuple[bool, list[Wanted]]:
        """Whether calls wait, and what was asked to be prepared since the last look."""
        waiting = connection.execute(
            select(jobs.c.id)
            .where(jobs.c.state == JobState.WAITING, jobs.c.priority == 0, jobs.c.function != "")
            .limit(1)
        ).first()
        if self._position is None:
            self._position = events.newest(connection)
            return waiting is not None, []
        found = events.after(connection, self._position)
        if found:
            self._position = (found[-1].transaction_id, found[-1].id)
        wanted = [
            Wanted(
                StudyUID(event.study_uid),
                SeriesUID(event.payload["series"]),
                event.payload["package"],
                event.payload["input"],
            )
            for event in found
            if event.kind == PREPARE
        ]
        return waiting is not None, list(dict.fromkeys(wanted))
