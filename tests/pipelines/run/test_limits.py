"""A run is held to its manifest's memory and processor time; a cancelled one is killed."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import ray
from sqlalchemy import select

from ennead.contracts import Archive
from ennead.database import Database
from ennead.security import SYSTEM
from ennead_gpu.ray import NodeRoom
from ennead_pipelines.jobs.control import cancel, retry
from ennead_pipelines.run.dispatch import Dispatcher
from ennead_pipelines.run.limits import Overrun, RunGuard, RunLimits
from ennead_pipelines.tables import findings, job_refusals, jobs, timeline

Send = Callable[..., str]
Settle = Callable[[], None]
Finish = Callable[[], Any]
Rows = Callable[[], list[Any]]


def spin(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


def test_the_guard_is_silent_inside_the_limits() -> None:
    said: list[Overrun] = []
    with RunGuard(RunLimits(64, 60.0), said.append, every_s=0.01):
        kept = np.ones(2**20)  # 8 MiB
        time.sleep(0.1)
    assert kept.any() and said == []


@pytest.mark.parametrize(
    ("limits", "key"),
    [(RunLimits(16, 60.0), "queue.memory"), (RunLimits(4096, 0.1), "queue.processor")],
)
def test_the_guard_says_once_what_was_passed(limits: RunLimits, key: str) -> None:
    said: list[Overrun] = []
    with RunGuard(limits, said.append, every_s=0.01):
        kept = np.ones(2**23)  # 64 MiB
        spin(0.3)
    assert kept.any()
    assert [each.key for each in said] == [key]


def test_no_task_asks_for_more_than_the_largest_node_has() -> None:
    room = NodeRoom(2.0, 1024.0**3)
    assert room.options(4.0, 512) == {"num_cpus": 2.0, "memory": 512 * 1024**2}
    assert room.options(1.0, 8192) == {"num_cpus": 1.0, "memory": 1024**3}
    assert NodeRoom(2.0).options(1.0, 8192) == {"num_cpus": 1.0}


@pytest.mark.slow
def test_a_package_that_eats_memory_is_stopped_and_the_next_job_runs(
    send: Send, settle: Settle, finish: Finish, database: Database
) -> None:
    send(SeriesDescription="hungry")
    settle()
    job = finish()
    assert (job.state, job.reason_key) == ("failed", "queue.reason.memory")
    assert job.attempts == 1  # it would need as much the next time
    assert job.reason_values["limit_mib"] == 256
    with database.read() as connection:
        (refusal,) = connection.execute(select(job_refusals)).all()
        keys = list(connection.execute(select(timeline.c.text_key)).scalars())
    assert (refusal.code, refusal.text_key) == ("FAILED", "queue.reason.memory")
    assert keys[-1] == "queue.timeline.memory"
    send()
    settle()
    assert finish().state == "done"


@pytest.mark.slow
def test_a_running_job_is_killed_when_it_is_cancelled_and_can_be_repeated(
    send: Send,
    settle: Settle,
    finish: Finish,
    dispatcher: Dispatcher,
    database: Database,
    archive: Archive,
    job_rows: Rows,
) -> None:
    study = send(SeriesDescription="slow 3.5")
    settle()
    until = time.monotonic() + 30
    while job_rows()[0].step != "progress.looking":
        dispatcher.step(0.05)
        assert time.monotonic() < until
    (reference,) = [each.reference for each in dispatcher._running.values()]
    with database.begin() as connection:
        cancel(connection, job_rows()[0].id, SYSTEM, "sent twice")
    cancelled_at = time.monotonic()
    while dispatcher._running:
        dispatcher.step(0.05)
    assert time.monotonic() - cancelled_at < 1.5
    with pytest.raises(ray.exceptions.RayError):
        ray.get(reference, timeout=5)
    (row,) = job_rows()
    assert (row.state, row.reason_key) == ("cancelled", "queue.reason.cancelled_because")
    assert row.reason_values == {"by": "Ennead", "reason": "sent twice"}
    assert [s for s in archive.series(study) if (s.number or 0) >= 9000] == []  # type: ignore[arg-type]
    with database.begin() as connection:
        assert connection.execute(select(findings)).all() == []
        retry(connection, row.id, SYSTEM)
    job = finish()
    assert (job.state, job.generation, job.failures) == ("done", 1, 0)
    assert job.durations["measure"] > 3.5
    assert job.durations["total"] >= sum(
        job.durations[stage] for stage in ("measure", "encode", "store")
    )
    assert {"modality": "CT", "kvp": 120.0, "slices": 8.0, "spacing_z_mm": 2.0}.items() <= (
        job.features.items()
    )
    with database.read() as connection:
        steps = list(connection.execute(select(timeline.c.step).order_by(timeline.c.id)).scalars())
        assert connection.execute(select(jobs.c.attempts)).scalar_one() == 2
    assert [s for s in steps if s in ("cancelled", "queued", "stored")] == [
        "queued",
        "cancelled",
        "queued",
        "stored",
    ]
