"""Priorities with ageing: who is first, and that nobody waits for ever."""

import datetime as dt
import secrets
from typing import Any

from sqlalchemy import insert

from ennead.database import Database
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.jobs.order import STEP_S
from ennead_pipelines.tables import jobs

NOW = dt.datetime.now(dt.UTC)
STAT, ROUTINE, OFF_PEAK = 10, 50, 90


def row(name: str, priority: int, waited_s: float, made_s: float | None = None) -> dict[str, Any]:
    """A job that could begin ``waited_s`` ago and was made ``made_s`` ago."""
    return {
        "id": secrets.token_hex(16),
        "study_uid": name,
        "package": "p",
        "version": "1.0.0",
        "manifest_digest": "m",
        "input_digest": name,
        "parameters_digest": "q",
        "title": {},
        "inputs": {},
        "state": "waiting",
        "not_before": NOW - dt.timedelta(seconds=waited_s),
        "created_at": NOW - dt.timedelta(seconds=waited_s if made_s is None else made_s),
        "updated_at": NOW,
        "priority": priority,
    }


def add(database: Database, name: str, priority: int, *times_s: float, **more: float) -> None:
    with database.begin() as connection:
        connection.execute(insert(jobs), row(name, priority, *times_s, **more))


def order(database: Database) -> list[str]:
    return [str(job.study_uid) for job in JobQueue(database, "a/1", 30).claim(1000)]


def test_stat_before_routine_before_off_peak_and_oldest_first(database: Database) -> None:
    add(database, "night", OFF_PEAK, 60)
    add(database, "old", ROUTINE, 50)
    add(database, "new", ROUTINE, 40)
    add(database, "stat", STAT, 1)
    assert order(database) == ["stat", "old", "new", "night"]


def test_waiting_weighs_as_much_as_priority(database: Database) -> None:
    apart = (ROUTINE - STAT) * STEP_S
    assert apart == 7200.0
    add(database, "stat", STAT, 10)
    add(database, "routine, two hours and a second older", ROUTINE, 10 + apart + 1)
    add(database, "routine, a second less than two hours older", ROUTINE, 10 + apart - 1)
    add(database, "night, four hours and a second older", OFF_PEAK, 10 + 2 * apart + 2)
    assert order(database) == [
        "night, four hours and a second older",
        "routine, two hours and a second older",
        "stat",
        "routine, a second less than two hours older",
    ]


def test_nothing_starves_under_an_endless_stream_of_stat(database: Database) -> None:
    """One worker, one job a minute, and a stat job for each: routine runs after two hours."""
    stream = [row(f"stat {minute}", STAT, 60.0 * (180 - minute)) for minute in range(180)]
    with database.begin() as connection:
        connection.execute(insert(jobs), stream)
    add(database, "routine", ROUTINE, 60.0 * 180 - 30)
    # Every job is due now; the turn alone decides, so one look gives the whole sequence.
    found = order(database)
    assert (len(found), found.index("routine")) == (181, 121)


def test_an_off_peak_job_ages_from_its_window_and_not_from_its_making(database: Database) -> None:
    add(database, "night", OFF_PEAK, waited_s=1, made_s=11 * 3600)
    add(database, "routine", ROUTINE, 1)
    add(database, "not yet", STAT, waited_s=-3600, made_s=11 * 3600)
    assert order(database) == ["routine", "night"]


def test_an_interrupted_job_keeps_its_turn(database: Database) -> None:
    add(database, "first", ROUTINE, 60)
    add(database, "second", ROUTINE, 50)
    queue = JobQueue(database, "a/1", 30)
    (job,) = queue.claim(1)
    queue.give_back(job, 0.0, fault=False, reason={})
    assert order(database) == ["first", "second"]
