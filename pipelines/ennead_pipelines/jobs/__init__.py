"""Jobs: durable, idempotent, leased.

States: waiting → running → done | refused | failed; waiting | running → cancelled; any of them →
superseded. A job's id is a
digest of what it computes from, so asking twice finds the first.
"""

from ennead_pipelines.jobs.identity import JobIdentity, finding_id, input_digest
from ennead_pipelines.jobs.queue import Job, JobQueue
from ennead_pipelines.jobs.states import JobState, refresh_study_state

__all__ = [
    "Job",
    "JobIdentity",
    "JobQueue",
    "JobState",
    "finding_id",
    "input_digest",
    "refresh_study_state",
]
