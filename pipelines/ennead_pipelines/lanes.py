"""Lanes: who may see what a run found before it counts.

``active`` is for everybody and lies in the archive. ``shadow`` and ``pilot`` results are held
apart (:mod:`ennead_pipelines.held`): shadow ones are shown to those who manage models only, pilot
ones also to the readers chosen for the pilot. Every route that shows a job, a finding or a note
asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select, true

from ennead.security import Permission, Principal
from ennead_pipelines.tables import jobs


class Lane(StrEnum):
    """Where a job's results go."""

    ACTIVE = "active"
    PILOT = "pilot"
    SHADOW = "shadow"


def lane_of(state: str) -> Lane:
    """Where the results of a model in this state go; what is not active or in pilot is apart."""
    return Lane(state) if state in (Lane.ACTIVE, Lane.PILOT) else Lane.SHADOW


@dataclass(frozen=True, slots=True)
class Sight:
    """What one person sees beside the active lane.

    Parameters
    ----------
    everything : bool
        Manages models: sees every lane.
    pilots : frozenset of (str, str)
        Package id and version of each pilot this person was chosen for.
    """

    everything: bool = False
    pilots: frozenset[tuple[str, str]] = frozenset()

    def sees(self, lane: str, package: str, version: str) -> bool:
        """Whether a job or finding of this lane is shown."""
        if self.everything or lane == Lane.ACTIVE:
            return True
        return lane == Lane.PILOT and (package, version) in self.pilots

    def where(self, table: Table) -> ColumnElement[bool]:
        """The same as a condition on ``jobs`` or ``findings``."""
        if self.everything:
            return true()
        chosen = [
            and_(table.c.lane == Lane.PILOT, table.c.package == package, table.c.version == version)
            for package, version in sorted(self.pilots)
        ]
        return or_(table.c.lane == Lane.ACTIVE, *chosen)


def sight_of(connection: Connection, principal: Principal) -> Sight:
    """What ``principal`` sees."""
    if principal.may(Permission.MODEL_MANAGE):
        return Sight(everything=True)
    return Sight(pilots=pilots_of(connection, principal.name))


def pilots_of(connection: Connection, reader: str) -> frozenset[tuple[str, str]]:
    """Model id and version of every pilot that the person of this login name was chosen for."""
    from ennead_models.records import pilot_readers

    return frozenset(
        model for model, readers in pilot_readers(connection).items() if reader in readers
    )


def unseen_jobs(connection: Connection, study_uid: str, sight: Sight) -> set[str]:
    """Ids of the study's jobs that must not be shown."""
    if sight.everything:
        return set()
    rows = connection.execute(
        select(jobs.c.id, jobs.c.lane, jobs.c.package, jobs.c.version).where(
            jobs.c.study_uid == study_uid, jobs.c.lane != Lane.ACTIVE
        )
    )
    return {row.id for row in rows if not sight.sees(row.lane, row.package, row.version)}
