"""A three-node Ray cluster of processes: a node is killed in the middle of the work, many times.

    python -m benchmarks.cluster --rounds 20 --jobs 20

Each round stores the same studies in a fresh instance, runs its jobs on the cluster, and kills one
node (raylet and workers, SIGKILL) at a random moment; another node then joins. Every job must end
once, with the content digest of a run on one machine. Exit status 1 when one does not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from ennead import telemetry
from ennead.contracts import Archive
from ennead.database import Database
from ennead.database.migrate import upgrade
from ennead.geometry import Grid
from ennead.security.tables import audit
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead.testing.sample import sample_package
from ennead_pacs.archive import open_archive
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.settle import Settler
from ennead_pipelines.tables import findings, jobs, timeline

SHARED = {"cpus": 2, "object_store_bytes": 100 * 1024**2}
GIVE_UP_S = 180.0


@dataclass
class Round:
    """What one run showed."""

    digests: dict[str, str]
    states: dict[str, str]
    results: dict[str, int]
    stored_notes: int
    stored_audits: int
    findings: int
    repeated: int
    seconds: float
    killed_after_s: float = 0.0

    def faults(self, reference: dict[str, str], count: int) -> list[str]:
        """What is not as on one machine."""
        found = [f"job {j} is {s}" for j, s in self.states.items() if s != "done"]
        if self.digests != reference:
            wrong = [j for j, d in reference.items() if self.digests.get(j) != d]
            found.append(f"other content: {', '.join(wrong)}")
        found += [f"study {u} has {n} results" for u, n in self.results.items() if n != 2]
        for what, number in (
            ("studies with results", len(self.results)),
            ("notes of storing", self.stored_notes),
            ("audit entries of storing", self.stored_audits),
            ("findings", self.findings),
        ):
            if number != count:
                found.append(f"{number} {what} for {count} jobs")
        return found


def write_studies(folder: Path, count: int, work_s: float) -> list[list[Path]]:
    """Small chest CTs, each with a bright box of another size."""
    import numpy as np

    written = []
    for number in range(count):
        grid = Grid(
            shape=(8, 24, 32),
            origin_mm=(-10.0, 20.0, 30.0),
            axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
            spacing_mm=(2.0, 1.5, 1.25),
            frame_of_reference_uid=f"1.2.3.{number}",
        )
        values = np.full(grid.shape, -1000.0, dtype=np.float32)
        values[2:6, 1 : 3 + number % 20, 2:9] = 100.0
        attributes = {
            "BodyPartExamined": "CHEST",
            "KVP": 120,
            "SliceThickness": 2,
            "PatientID": f"P{number}",
            "StudyInstanceUID": f"1.2.840.99.{number + 1}",
            "SeriesDescription": f"slow {work_s}",
        }
        written.append(write_series(values, grid, folder / str(number), **attributes))
    return written


@contextmanager
def instance(home: Path, ray: dict[str, Any]) -> Iterator[tuple[Settings, Database, Archive]]:
    """A migrated, empty instance."""
    home.mkdir(parents=True)
    settings = Settings.load(home, ray=ray, pipelines={"quiet_s": 0.2, "lease_s": 30})
    upgrade(settings)
    database = Database(settings.database_url)
    archive = open_archive(settings, database)
    try:
        yield settings, database, archive
    finally:
        archive.close()
        database.close()


def run_round(
    home: Path,
    ray: dict[str, Any],
    studies: list[list[Path]],
    runtime: Any,
    in_the_middle: Callable[[], None] = lambda: None,
    tend: Callable[[], None] = lambda: None,
    after: int = 0,
) -> Round:
    """Store, settle and run everything.

    ``in_the_middle`` is called beside it when ``after`` jobs ended, ``tend`` between its steps.
    """
    from ennead_pipelines.run.dispatch import Dispatcher
    from ennead_pipelines.run.leases import LeaseKeeper

    catalogue = PackageCatalogue(discover=lambda: [sample_package()])
    with instance(home, ray) as (settings, database, archive):
        for study in studies:
            for path in study:
                archive.store(path.read_bytes(), source="benchmark")
        settler = Settler(database, archive, settings, catalogue, Preparer(archive))
        while _count(database) < len(studies):
            settler.step()
            time.sleep(0.05)
        queue = JobQueue(database, "benchmark/1", settings.pipelines.lease_s)
        leases = LeaseKeeper(queue, settings.pipelines.lease_s)
        leases.start()
        dispatcher = Dispatcher(
            settings, archive, queue, catalogue, leases, runtime.cpus, runtime.room
        )
        beside = threading.Thread(target=in_the_middle, daemon=True)
        begun, killed_after_s = time.monotonic(), 0.0
        while (left := _open(database)) and time.monotonic() - begun < GIVE_UP_S:
            if not killed_after_s and left <= len(studies) - after:
                killed_after_s = time.monotonic() - begun
                beside.start()
            dispatcher.resize(runtime.cpus, runtime.room)
            dispatcher.step(0.05)
            tend()
        seconds = time.monotonic() - begun
        dispatcher.drain()
        leases.stop()
        if killed_after_s:
            beside.join(timeout=60)
            tend()
        found = _result(database, archive, seconds)
        found.killed_after_s = killed_after_s
        return found


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(jobs)).scalar_one())


def _open(database: Database) -> int:
    with database.read() as connection:
        query = select(func.count()).where(jobs.c.state.in_(("waiting", "running")))
        return int(connection.execute(query).scalar_one())


def _result(database: Database, archive: Archive, seconds: float) -> Round:
    with database.read() as connection:
        rows = connection.execute(select(jobs)).all()
        stored = connection.execute(
            select(func.count()).select_from(timeline).where(timeline.c.step == "stored")
        ).scalar_one()
        audited = connection.execute(
            select(func.count()).select_from(audit).where(audit.c.action == "result.stored")
        ).scalar_one()
        listed = connection.execute(select(func.count()).select_from(findings)).scalar_one()
    results = {
        row.study_uid: sum(
            each.instance_count
            for each in archive.series(row.study_uid)
            if (each.number or 0) >= 9000
        )
        for row in rows
    }
    return Round(
        digests={row.id: row.content_digest for row in rows},
        states={row.id: row.state for row in rows},
        results=results,
        stored_notes=stored,
        stored_audits=audited,
        findings=listed,
        repeated=sum(row.attempts > 1 for row in rows),
        seconds=seconds,
    )


def single(work: Path, count: int, work_s: float) -> dict[str, str]:
    """Content digests of a run on one machine with a local Ray; in a process of its own."""
    from ennead_gpu.ray import RayRuntime

    studies = write_studies(work / "studies", count, work_s)
    runtime = RayRuntime(Settings.load(work / "single-ray", ray=SHARED))
    runtime.start()
    try:
        found = run_round(work / "single", SHARED, studies, runtime)
    finally:
        runtime.stop()
    wrong = [job for job, state in found.states.items() if state != "done"]
    assert not wrong, f"jobs do not end on one machine: {wrong}"
    return found.digests


class Nodes:
    """The cluster: a head and two more, each with a processor of its own."""

    def __init__(self, token: Path) -> None:
        # Ray reads its environment when it is imported.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)
        from ray.cluster_utils import Cluster

        quick = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 300,
            "health_check_failure_threshold": 3,
        }
        self._options = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}
        head = {**self._options, "include_dashboard": False, "_system_config": quick}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._others = [self._cluster.add_node(**self._options) for _ in range(2)]

    @property
    def address(self) -> str:
        """Of the head."""
        return str(self._cluster.address)

    def kill_one(self, chance: random.Random) -> None:
        """SIGKILL raylet and workers of a node that is not the head."""
        victim = self._others.pop(chance.randrange(len(self._others)))
        self._cluster.remove_node(victim, allow_graceful=False)

    def fill_up(self) -> None:
        """Let a node join where one was killed; Ray starts nodes in the main thread only."""
        while len(self._others) < 2:
            self._others.append(self._cluster.add_node(**self._options))

    def close(self) -> None:
        """End every node."""
        self._cluster.shutdown()


def _kill_soon(nodes: Nodes, chance: random.Random) -> None:
    time.sleep(chance.uniform(0.0, 0.5))
    nodes.kill_one(chance)


def main() -> int:
    """Run; prints a line for each round and the sum."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--work-s", type=float, default=0.5, help="what each job computes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--single", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.single:
        print(json.dumps(single(arguments.single, arguments.jobs, arguments.work_s)))
        return 0
    work = Path(tempfile.mkdtemp(prefix="ennead-cluster-"))
    try:
        return _rounds(work, arguments)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _rounds(work: Path, arguments: argparse.Namespace) -> int:
    from ennead_gpu.ray import RayRuntime

    command = [sys.executable, "-m", "benchmarks.cluster", "--single", str(work)]
    command += ["--jobs", str(arguments.jobs), "--work-s", str(arguments.work_s)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    reference: dict[str, str] = json.loads(said.stdout.splitlines()[-1])
    studies = [sorted((work / "studies" / str(n)).iterdir()) for n in range(arguments.jobs)]
    token = work / "token"
    token.write_text("5" * 64, encoding="ascii")
    nodes = Nodes(token)
    chance = random.Random(arguments.seed)
    ray = {"address": nodes.address, "token_file": token, **SHARED}
    objects = work / "driver" / "objects"
    objects.mkdir(parents=True)
    settings = Settings.load(work / "driver", ray=ray)
    telemetry.configure(
        settings.model_copy(
            update={"telemetry": settings.telemetry.model_copy(update={"log_level": "ERROR"})}
        ),
        "benchmark",
    )
    runtime = RayRuntime(settings)
    runtime.start()
    wrong, repeated, seconds = 0, 0, 0.0
    try:
        for number in range(1, arguments.rounds + 1):
            after = chance.randint(1, max(1, arguments.jobs - 4))
            found = run_round(
                work / f"round-{number}",
                ray,
                studies,
                runtime,
                partial(_kill_soon, nodes, chance),
                nodes.fill_up,
                after,
            )
            faults = found.faults(reference, arguments.jobs)
            wrong += bool(faults)
            repeated += found.repeated
            seconds += found.seconds
            print(
                f"round {number:2}: node killed after {found.killed_after_s:4.1f} s, "
                f"{found.repeated} jobs begun again, {len(found.states)} ended once "
                f"in {found.seconds:5.1f} s: {'; '.join(faults) or 'as on one machine'}",
                flush=True,
            )
            shutil.rmtree(work / f"round-{number}", ignore_errors=True)
    finally:
        runtime.stop()
        nodes.close()
    print(
        f"{arguments.rounds} rounds of {arguments.jobs} jobs, {repeated} begun again after a node "
        f"was killed, {seconds / max(1, arguments.rounds):.1f} s a round; {wrong} rounds differ "
        "from one machine"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
