"""A call of an interactive function on the study's timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from ennead_pipelines.jobs import Job
from ennead_pipelines.notes import note, result_links
from ennead_pipelines.run.requests import JobOutput


def tell_call(
    connection: Connection, job: Job, output: JobOutput, reason: Mapping[str, Any]
) -> None:
    """One line: who asked, and what came of it.

    Parameters
    ----------
    reason : mapping
        ``reason_key`` and ``reason_values``, told when nothing was found.
    """
    done = bool(output.sr or output.seg)
    links = result_links(
        job.study_uid,
        seg=(output.seg_series_uid, output.seg_instance_uid),
        sr=(output.sr_series_uid, output.sr_instance_uid),
    )
    values: dict[str, Any] = {
        "function": dict(job.title),
        "by": str(job.call.get("by", "")),
        "findings": len(output.findings),
        "reason": {"key": reason["reason_key"], "values": reason["reason_values"]},
    }
    note(
        connection,
        job.study_uid,
        "function",
        "functions.timeline.answered" if done else "functions.timeline.declined",
        values,
        package=job.package,
        job_id=job.id,
        state="ok" if done else "refused",
        duration_s=output.durations_s["measure"],
        links=links if done else (),
    )
