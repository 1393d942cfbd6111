"""Claiming, leasing, taking over, giving back."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from ennead.database import Database
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.tables import jobs

Rows = Callable[[], list[Any]]


@pytest.fixture
def waiting(send: Callable[..., str], settle: Callable[[], None]) -> str:
    study = send()
    settle()
    return study


def expire(database: Database) -> None:
    with database.begin() as connection:
        past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
        connection.execute(update(jobs).values(lease_until=past))


def test_a_job_is_claimed_once(database: Database, waiting: str, job_rows: Rows) -> None:
    mine, theirs = JobQueue(database, "a/1", 30), JobQueue(database, "b/1", 30)
    (job,) = mine.claim(5)
    assert (job.study_uid, job.package, job.attempt) == (waiting, "sample", 1)
    assert theirs.claim(5) == []
    (row,) = job_rows()
    assert (row.state, row.lease_owner, row.attempts) == ("running", "a/1", 1)


def test_an_expired_lease_is_taken_over_and_the_loser_notices(
    database: Database, waiting: str
) -> None:
    mine, theirs = JobQueue(database, "a/1", 30), JobQueue(database, "b/1", 30)
    (job,) = mine.claim(1)
    assert mine.renew({job.id}) == set()
    expire(database)
    (taken,) = theirs.claim(1)
    assert (taken.id, taken.attempt) == (job.id, 2)
    assert mine.renew({job.id}) == {job.id}
    with database.begin() as connection:
        assert not mine.hold(connection, job)
        assert theirs.hold(connection, taken)


def test_renewing_keeps_a_job(database: Database, waiting: str) -> None:
    mine, theirs = JobQueue(database, "a/1", 30), JobQueue(database, "b/1", 30)
    (job,) = mine.claim(1)
    expire(database)
    assert mine.renew({job.id}) == set()
    assert theirs.claim(1) == []


def test_a_restarted_worker_takes_its_jobs_back_at_once(database: Database, waiting: str) -> None:
    (job,) = JobQueue(database, "host:0/old", 3600).claim(1)
    assert JobQueue(database, "host:01/new", 3600).recover() == []
    again = JobQueue(database, "host:0/new", 3600)
    assert again.recover() == [job.id]
    (claimed,) = again.claim(1)
    assert (claimed.id, claimed.attempt, claimed.failures) == (job.id, 2, 0)


def test_a_returned_job_waits_and_counts_faults_only(
    database: Database, waiting: str, job_rows: Rows
) -> None:
    queue = JobQueue(database, "a/1", 30)
    (job,) = queue.claim(1)
    queue.give_back(job, 60, fault=True, reason={})
    assert queue.claim(1) == []
    (row,) = job_rows()
    assert (row.state, row.failures) == ("waiting", 1)
    with database.begin() as connection:
        connection.execute(update(jobs).values(not_before=dt.datetime.now(dt.UTC)))
    (job,) = queue.claim(1)
    queue.give_back(job, 0, fault=False, reason={})
    assert job_rows()[0].failures == 1


def test_progress_is_written_by_the_holder_only(
    database: Database, waiting: str, job_rows: Rows
) -> None:
    mine, theirs = JobQueue(database, "a/1", 30), JobQueue(database, "b/1", 30)
    (job,) = mine.claim(1)
    mine.progress({job.id: (1.7, "jobs.step.measuring")})
    theirs.progress({job.id: (0.1, "other")})
    (row,) = job_rows()
    assert (row.fraction, row.step) == (1.0, "jobs.step.measuring")
