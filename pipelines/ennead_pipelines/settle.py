"""A study is complete when nothing new came for a while; it stays so across restarts.

Reads the outbox (STUDY_CHANGED) and the archive's headers. Writes ``settlements``, the selection
of every enabled package, and its job.
"""

from __future__ import annotations

import datetime as dt
import time

import structlog
from sqlalchemy import Connection, select, update

from ennead import events
from ennead.contracts import Archive, Worklist
from ennead.database import Database, upsert
from ennead.errors import NotFound
from ennead.identifiers import StudyUID
from ennead.settings import Settings
from ennead_pipelines.foresee import Foreseen, lead_seconds
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.jobs.states import now
from ennead_pipelines.notes import note
from ennead_pipelines.packages import PackageCatalogue, introduce, states
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.select import OWN_SERIES_NUMBERS, is_own_result
from ennead_pipelines.site.plan import PackagePlan, carry_out, plan_study
from ennead_pipelines.site.store import load_control
from ennead_pipelines.tables import settlements
from ennead_pipelines.telemetry import stage

CONSUMER = "pipelines.settle"
_BATCH = 500
_PRUNE_SECONDS = 3600.0
_KEEP_EVENTS = dt.timedelta(days=2)

log = structlog.get_logger(__name__)


class Settler:
    """Turns arrivals into jobs.

    Parameters
    ----------
    worklist : Worklist or None
        Clinical facts and which requests are STAT; None where no RIS is connected.
    foreseen : Foreseen or None
        Takes the series of studies that are about to be complete.
    """

    def __init__(
        self,
        database: Database,
        archive: Archive,
        settings: Settings,
        catalogue: PackageCatalogue,
        preparer: Preparer,
        worklist: Worklist | None = None,
        foreseen: Foreseen | None = None,
    ) -> None:
        self._foreseen = foreseen
        self._looked_ahead: dict[str, dt.datetime] = {}
        self._worklist = worklist
        self._giver = Giver.of(archive, settings, worklist)
        self._zone = settings.portal.zone
        self._preparer = preparer
        self._pruned_at = time.monotonic()
        self._database = database
        self._archive = archive
        self._settings = settings.pipelines
        self._catalogue = catalogue

    def step(self) -> bool:
        """Take in new events and settle what is due; True when there was something to do."""
        # All of it, so that a study does not settle beside a newer image; a batch that is not full
        # was all. While a study streams in, one round serves many images.
        while self._take_in() >= _BATCH:
            pass
        self._prune()
        settled = self._settle_due()
        return self._look_ahead() or bool(settled)

    def _prune(self) -> None:
        """Now and then, drop events that every reader has passed."""
        if time.monotonic() - self._pruned_at < _PRUNE_SECONDS:
            return
        self._pruned_at = time.monotonic()
        with self._database.begin() as connection:
            events.prune(connection, _KEEP_EVENTS)

    def _take_in(self) -> int:
        with self._database.read() as connection:
            arrived = events.pending(connection, CONSUMER, _BATCH)
        if not arrived:
            return 0
        changed: dict[str, dt.datetime] = {}
        latest = {
            (e.study_uid, tuple(e.payload.get("series", ()))): e
            for e in arrived
            if e.kind == events.STUDY_CHANGED
        }
        for event in latest.values():
            if not self._only_own(event):
                changed[event.study_uid] = max(
                    event.created_at, changed.get(event.study_uid, event.created_at)
                )
        with self._database.begin() as connection:
            for study_uid, at in changed.items():
                row = {
                    "study_uid": study_uid,
                    "changed_at": at,
                    "settled_at": None,
                    "attempts": 0,
                }
                upsert(connection, settlements, row, keys=["study_uid"])
            events.acknowledge(connection, CONSUMER, arrived[-1])
        return len(arrived)

    def _only_own(self, event: events.Event) -> bool:
        """Whether the event speaks of nothing but results that Ennead wrote."""
        named = set(event.payload.get("series", ()))
        if not named:
            return False
        try:
            records = self._archive.series(StudyUID(event.study_uid))
            for record in records:
                if record.series_uid in named:
                    if record.number not in OWN_SERIES_NUMBERS:
                        return False
                    headers = self._archive.metadata(record.series_uid)
                    if not headers or not is_own_result(record, headers[0]):
                        return False
                    named.discard(record.series_uid)
        except Exception:  # in doubt it counts as new: the selection finds out
            log.exception("cannot tell what arrived", study_uid=event.study_uid)
            return False
        return not named

    def _settle_due(self) -> int:
        before = now() - dt.timedelta(seconds=self._settings.quiet_s)
        with self._database.read() as connection:
            due = connection.execute(
                select(settlements.c.study_uid, settlements.c.changed_at)
                .where(settlements.c.settled_at.is_(None), settlements.c.changed_at <= before)
                .order_by(settlements.c.changed_at)
                .limit(16)
            ).all()
        for row in due:
            self._settle(StudyUID(row.study_uid), row.changed_at)
        return len(due)

    def _look_ahead(self) -> bool:
        """Hand on what quiet studies will need, once for each of their states."""
        if self._foreseen is None:
            return False
        before = now() - dt.timedelta(seconds=lead_seconds(self._settings.quiet_s))
        with self._database.read() as connection:
            quiet = connection.execute(
                select(settlements.c.study_uid, settlements.c.changed_at)
                .where(settlements.c.settled_at.is_(None), settlements.c.changed_at <= before)
                .order_by(settlements.c.changed_at)
                .limit(16)
            ).all()
        seen = self._looked_ahead
        fresh = [row for row in quiet if seen.get(row.study_uid) != row.changed_at]
        self._looked_ahead = {row.study_uid: row.changed_at for row in quiet}
        for row in fresh:
            try:
                self._foreseen.add(self._plan(StudyUID(row.study_uid)) or ())
            except Exception:  # settling will meet it again, and tell
                log.exception("not looked ahead", study_uid=row.study_uid)
        return bool(fresh)

    def _settle(self, study_uid: StudyUID, changed_at: dt.datetime) -> None:
        logger = log.bind(study_uid=study_uid)
        try:
            with stage("settle", study_uid):
                self._select(study_uid, changed_at)
            self._preparer.add(study_uid)
        except NotFound:
            logger.warning("the study is gone; nothing to settle")
            self._mark(study_uid, changed_at)
        except Exception:  # one study must not stop the others; it is tried again later
            logger.exception("selection failed; the study will be tried again")
            self._postpone(study_uid, changed_at)

    def _plan(self, study_uid: StudyUID) -> list[PackagePlan] | None:
        """What every enabled package would do with the study now."""
        packages = self._catalogue.all()
        with self._database.begin() as connection:
            introduce(connection, packages)
        with self._database.read() as connection:
            enabled = [s.package for s in states(connection, packages) if s.enabled]
            control = load_control(connection, self._zone)
        urgent = self._worklist is not None and self._worklist.is_urgent(study_uid)
        return plan_study(
            self._database,
            self._archive,
            study_uid,
            enabled,
            control,
            now(),
            urgent=urgent,
            giver=self._giver,
        )

    def _select(self, study_uid: StudyUID, changed_at: dt.datetime) -> None:
        plans = self._plan(study_uid)
        with self._database.begin() as connection:
            # Something new may have come while we looked: then look again later.
            if not self._mark_in(connection, study_uid, changed_at):
                return
            if plans is None:
                return  # nothing but our own results
            quiet = {"quiet_s": self._settings.quiet_s}
            note(connection, study_uid, "settled", "timeline.settled", quiet)
            for planned in plans:
                carry_out(connection, planned)
        log.info("study settled", study_uid=study_uid, packages=len(plans))

    def _mark(self, study_uid: StudyUID, changed_at: dt.datetime) -> None:
        with self._database.begin() as connection:
            self._mark_in(connection, study_uid, changed_at)

    def _mark_in(
        self, connection: Connection, study_uid: StudyUID, changed_at: dt.datetime
    ) -> bool:
        return bool(
            connection.execute(
                update(settlements)
                .where(
                    settlements.c.study_uid == study_uid,
                    settlements.c.changed_at == changed_at,
                    settlements.c.settled_at.is_(None),
                )
                .values(settled_at=now())
            ).rowcount
        )

    def _postpone(self, study_uid: StudyUID, changed_at: dt.datetime) -> None:
        with self._database.begin() as connection:
            row = connection.execute(
                select(settlements.c.attempts).where(settlements.c.study_uid == study_uid)
            ).one()
            delay = dt.timedelta(seconds=min(300.0, 2.0 ** min(row.attempts + 1, 9)))
            connection.execute(
                update(settlements)
                .where(settlements.c.study_uid == study_uid, settlements.c.changed_at == changed_at)
                .values(changed_at=now() + delay, attempts=row.attempts + 1)
            )
