"""The timeline: one row for each step a study went through, written with the step itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert

from ennead_pipelines.jobs.states import now
from ennead_pipelines.tables import timeline

TextValue = str | int | float | Mapping[str, Any]
"""A mapping is a text of its own: ``{"key": …, "values": …}``, or titles by language."""


def note(
    connection: Connection,
    study_uid: str,
    step: str,
    text_key: str,
    values: Mapping[str, TextValue] | None = None,
    *,
    package: str = "",
    job_id: str = "",
    state: str = "ok",
    at: dt.datetime | None = None,
    duration_s: float | None = None,
    links: Sequence[Mapping[str, str]] = (),
) -> None:
    """Append a step to the study's timeline, in the caller's transaction.

    Parameters
    ----------
    text_key, values
        Key of ``timeline.toml`` and its placeholders; translated when read.
    state : str
        ``ok``, ``refused``, ``failed`` or ``running``.
    links : sequence of {"label_key", "href"}
    """
    connection.execute(
        insert(timeline).values(
            study_uid=study_uid,
            package=package,
            job_id=job_id,
            at=at or now(),
            step=step,
            state=state,
            text_key=text_key,
            text_values=dict(values or {}),
            duration_s=duration_s,
            links=[dict(link) for link in links],
        )
    )


def result_links(
    study_uid: str, *, seg: tuple[str, str] = ("", ""), sr: tuple[str, str] = ("", "")
) -> list[dict[str, str]]:
    """Links to the viewer and to stored results, each ``(series UID, instance UID)``."""
    links = [
        {"label_key": "timeline.link.viewer", "href": f"/viewer?StudyInstanceUIDs={study_uid}"}
    ]
    for kind, (series, instance) in (("seg", seg), ("sr", sr)):
        if instance:
            href = f"/dicom-web/studies/{study_uid}/series/{series}/instances/{instance}"
            links.append({"label_key": f"timeline.link.{kind}", "href": href})
    return links
