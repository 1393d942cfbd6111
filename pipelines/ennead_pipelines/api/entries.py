"""A job as the queue's routes show it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row

from ennead.contracts import StudyRecord
from ennead_pacs.index import find_study
from ennead_pipelines.api.common import folder_of, moment
from ennead_pipelines.jobs.control import OPEN, repeatable
from ennead_pipelines.jobs.external import external_name
from ennead_pipelines.jobs.priorities import priority_name
from ennead_pipelines.jobs.states import JobState
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.render import render, title


def studies_of(connection: Connection, study_uids: Collection[str]) -> dict[str, StudyRecord]:
    """What the index knows of some studies; those that are gone are left out."""
    found = {uid: find_study(connection, uid) for uid in sorted(study_uids)}
    return {uid: record for uid, record in found.items() if record is not None}


class Entries:
    """Rows of ``jobs`` → JSON in one language.

    Parameters
    ----------
    studies : mapping
        What is known of the jobs' studies.
    at : datetime
        The moment that ages are counted to.
    """

    def __init__(
        self,
        language: str,
        catalogue: PackageCatalogue,
        studies: Mapping[str, StudyRecord],
        at: dt.datetime,
    ) -> None:
        self._language = language
        self._catalogue = catalogue
        self._studies = studies
        self._at = at

    def is_claimed(self, row: Row[Any]) -> bool:
        """Whether another system works on the job."""
        return external_name(row.lease_owner) is not None

    def entry(self, row: Row[Any], position: int | None = None) -> dict[str, Any]:
        """The shape of docs/reference/queue-api.md."""
        folder = folder_of(self._catalogue, row.package)
        name = priority_name(row.priority)
        held_by = external_name(row.lease_owner)
        return {
            "id": row.id,
            "study_uid": row.study_uid,
            "study": self._study(row.study_uid),
            "package": row.package,
            "title": title(row.title, self._language, row.package),
            "version": row.version,
            "function": row.function,
            "lane": row.lane,
            "priority": row.priority,
            "priority_name": name,
            "priority_title": self._text(f"queue.priority.{name}"),
            "state": row.state,
            "state_title": self._text(f"queue.state.{row.state}"),
            "reason": render(row.reason_key, self._language, row.reason_values, folder),
            "position": position,
            "age_s": self._age_s(row),
            "created_at": moment(row.created_at),
            "started_at": moment(row.started_at),
            "finished_at": moment(row.finished_at),
            "not_before": moment(row.not_before),
            "fraction": row.fraction,
            "step": render(row.step, self._language, {}, folder),
            "attempts": row.attempts,
            "requested_by": row.requested_by,
            "held_by": held_by,
            "held_until": moment(row.lease_until) if held_by else None,
            "durations": dict(row.durations),
            "cancellable": row.state in OPEN,
            "retryable": repeatable(row),
        }

    def _text(self, key: str) -> str:
        return render(key, self._language, {})

    def _study(self, study_uid: str) -> dict[str, Any] | None:
        record = self._studies.get(study_uid)
        if record is None:
            return None
        return {
            "patient_name": record.patient_name,
            "patient_id": record.patient_id,
            "description": record.description,
            "modalities": list(record.modalities),
            "date": record.study_date,
        }

    def _age_s(self, row: Row[Any]) -> float:
        begun, end = row.created_at, self._at
        if row.state == JobState.RUNNING:
            begun = row.started_at or begun
        elif row.finished_at is not None:
            end = row.finished_at
        return round(max(0.0, (end - begun).total_seconds()), 1)
