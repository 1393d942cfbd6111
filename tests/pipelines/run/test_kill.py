"""Whatever is killed in the middle of a run, it ends with exactly one SEG and one SR."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ennead.contracts import Archive
from ennead.settings import Settings

pytestmark = pytest.mark.slow

_CHILD = """
import json, os, signal, sys, threading
from ennead.app.child import die_with_parent
from ennead.settings import Settings
from ennead.testing.sample import sample_package
from ennead_pipelines import worker
from ennead_pipelines.packages import PackageCatalogue

task = json.loads(sys.argv[1])
die_with_parent(task["parent"])
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
settings = Settings(**task["settings"])
catalogue = PackageCatalogue(discover=lambda: [sample_package()])
worker.run(settings, lambda: print("ready", flush=True), stop, catalogue)
"""


class Supervisor:
    """Keeps one worker process alive, as the launcher does."""

    def __init__(self, settings: Settings) -> None:
        task = {"settings": settings.model_dump(mode="json"), "parent": os.getpid()}
        self._command = [sys.executable, "-c", _CHILD, json.dumps(task)]
        self._stop = threading.Event()
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        self._stop.set()
        if self.process is not None:
            self.process.terminate()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.starts += 1
            self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
            try:
                while self.process.poll() is None:
                    if self._stop.wait(0.05):
                        self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def supervisor(settings: Settings, database: Any) -> Iterator[Supervisor]:
    made = Supervisor(
        Settings.load(
            settings.home,
            database={"url": settings.database.url},
            pipelines={"quiet_s": 0.5, "lease_s": 5},
            ray={"cpus": 2, "object_store_bytes": 100 * 1024**2},
        )
    )
    yield made
    made.close()


def wait_for(what: str, look: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {timeout_s} s")


def processes_of(parent: int, word: str) -> list[int]:
    """Children of the worker whose command line holds ``word``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, ValueError, IndexError):
            continue
        if entry.name.isdigit() and int(stat[1]) == parent and word in command:
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize("victim", ["worker", "raylet", "gcs_server"])
def test_killed_in_the_middle(
    victim: str,
    supervisor: Supervisor,
    send: Callable[..., str],
    archive: Archive,
    job_rows: Callable[[], list[Any]],
) -> None:
    study = send(SeriesDescription="slow2")
    wait_for("measuring job", lambda: [r for r in job_rows() if r.step.startswith("progress")])
    assert supervisor.process is not None
    if victim == "worker":
        supervisor.kill()
    else:
        (pid,) = processes_of(supervisor.process.pid, f"/{victim} ") or processes_of(
            supervisor.process.pid, victim
        )
        os.kill(pid, signal.SIGKILL)
    (job,) = wait_for("finished job", lambda: [r for r in job_rows() if r.state == "done"])
    assert supervisor.starts == 2
    assert (job.attempts, job.failures) == (2, 0)
    results = [s for s in archive.series(study) if (s.number or 0) >= 9000]  # type: ignore[arg-type]
    assert sorted((s.modality, s.instance_count) for s in results) == [("SEG", 1), ("SR", 1)]
    sources = [s for s in archive.series(study) if (s.number or 0) < 9000]  # type: ignore[arg-type]
    assert [s.instance_count for s in sources] == [8]
