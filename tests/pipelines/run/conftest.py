"""A worker's loop driven by hand."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ennead.contracts import Archive
from ennead.database import Database
from ennead.settings import Settings
from ennead_gpu.ray import RayRuntime
from ennead_pipelines.foresee import Foreseen
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.run.dispatch import Dispatcher
from ennead_pipelines.run.leases import LeaseKeeper


@pytest.fixture
def foreseen(archive: Archive) -> Foreseen:
    return Foreseen(archive, 2**31)


@pytest.fixture
def dispatcher(
    ray_runtime: RayRuntime,
    settings: Settings,
    database: Database,
    archive: Archive,
    catalogue: PackageCatalogue,
    foreseen: Foreseen,
) -> Iterator[Dispatcher]:
    queue = JobQueue(database, "test:0/1", 30)
    pipelines = settings.pipelines.model_copy(update={"attempts": 2})
    quick = settings.model_copy(update={"pipelines": pipelines})
    leases = LeaseKeeper(queue, 30)
    leases.start()
    made = Dispatcher(quick, archive, queue, catalogue, leases, ray_runtime.cpus, foreseen=foreseen)
    yield made
    made.drain()
    leases.stop()


@pytest.fixture
def finish(dispatcher: Dispatcher, job_rows: Callable[[], list[Any]]) -> Callable[[], Any]:
    """Run the loop until no job waits or runs; returns the last job's row."""

    def run(timeout_s: float = 60.0) -> Any:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            dispatcher.step(0.05)
            rows = job_rows()
            if rows and not {row.state for row in rows} & {"waiting", "running"}:
                return rows[-1]
        raise AssertionError(f"jobs do not end: {[(r.state, r.step) for r in job_rows()]}")

    return run
