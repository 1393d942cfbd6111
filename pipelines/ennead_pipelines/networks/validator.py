"""The worker's part in validations: one at a time, each case as a task of Ray."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from typing import Any, Final

import ray
import structlog
from sqlalchemy import Row, or_, select, update

from ennead.database import Database
from ennead.errors import EnneadError
from ennead.security import Principal, Role
from ennead.settings import Settings
from ennead_gpu.ray import NodeRoom
from ennead_models.records import installed_version
from ennead_models.validation.outcome import CaseOutcome
from ennead_pipelines.jobs.states import now
from ennead_pipelines.networks.labelled import LabelledCase
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.validate import (
    FAILED,
    RUNNING,
    WAITING,
    judge,
    keep_report,
    set_folder,
    validate,
)
from ennead_pipelines.tables import validations

#: A validation whose worker has said nothing for so long is taken over.
STALE: Final = dt.timedelta(hours=1)
_LOOK_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)

_judge_task = ray.remote(max_retries=1)(judge)


class Validator:
    """Runs the validations that were asked for over HTTP.

    Parameters
    ----------
    room : NodeRoom
        Of the largest node: no task may ask for more.
    """

    def __init__(self, settings: Settings, database: Database, room: NodeRoom) -> None:
        self._settings = settings
        self._database = database
        self._room = room

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``: look, run, look again."""
        while not stop.is_set():
            try:
                busy = self.step()
            except Exception:  # the database may be away for a moment
                log.exception("validations not read")
                busy = False
            if not busy:
                stop.wait(_LOOK_SECONDS)

    def step(self) -> bool:
        """Run one that waits; True when there was one."""
        row = self._claim()
        if row is None:
            return False
        logger = log.bind(model=row.model, version=row.version, validation=row.id)
        principal = Principal(row.requested_by, row.requested_by, frozenset({Role.DATA_SCIENTIST}))
        try:
            with self._database.read() as connection:
                model = installed_version(connection, row.model, row.version)
            folder = set_folder(self._settings.models.validation_dir, row.set_name)
            report = validate(
                ModelSource.of(model, self._settings),
                folder,
                row.set_name,
                told=lambda done, cases: self._note(row.id, done=done, cases=cases),
                run=self._judge,
            )
            digest = keep_report(self._database, row.id, report, principal)
            logger.info("model validated", report=digest)
        except Exception as error:  # whatever is wrong with a set or a model ends here
            logger.exception("validation failed")
            said = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
            text = said.message if isinstance(said, EnneadError) else f"{type(said).__name__}"
            self._note(row.id, state=FAILED, error=text, finished_at=now())
        return True

    def _claim(self) -> Row[Any] | None:
        stale = validations.c.touched_at < now() - STALE
        query = (
            select(validations)
            .where(
                or_(
                    validations.c.state == WAITING,
                    (validations.c.state == RUNNING) & stale,
                )
            )
            .order_by(validations.c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                return None
        with self._database.begin() as connection:
            row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
            if row is not None:
                connection.execute(
                    update(validations)
                    .where(validations.c.id == row.id)
                    .values(state=RUNNING, touched_at=now())
                )
        return row

    def _judge(
        self, source: ModelSource, case: LabelledCase, thresholds: Mapping[str, float]
    ) -> CaseOutcome:
        resources = source.manifest.resources
        options = self._room.options(resources.cpu, max(1, round(resources.ram_gib * 1024)))
        outcome: CaseOutcome = ray.get(
            _judge_task.options(**options).remote(source, case, thresholds)
        )
        return outcome

    def _note(self, number: int, **values: Any) -> None:
        with self._database.begin() as connection:
            connection.execute(
                update(validations)
                .where(validations.c.id == number)
                .values(touched_at=now(), **values)
            )
