"""Supervised processes: ready, restart with back-off, drain, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ennead.app import process as module
from ennead.app.home import HOME_MARK, end_leftovers, make_home
from ennead.app.parts import PartState
from ennead.app.process import SupervisedProcess
from ennead.contracts import ProcessSpec
from ennead.settings import Settings

TARGETS = """
import os, subprocess, sys, time
from pathlib import Path

def obedient(settings, ready, stop):
    ready()
    stop.wait()
    (settings.home / "drained").touch()

def crashing(settings, ready, stop):
    raise ValueError("Nguyen Van A")

def returning(settings, ready, stop):
    ready()

def stubborn(settings, ready, stop):
    ready()
    while True:
        time.sleep(1)

def with_child(settings, ready, stop):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (settings.home / "child").write_text(str(child.pid))
    ready()
    stop.wait()

def silent(settings, ready, stop):
    ready()
    os.kill(os.getpid(), 19)  # SIGSTOP: no heartbeat from here
    time.sleep(600)
"""


@pytest.fixture
def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], SupervisedProcess]]:
    (tmp_path / "process_targets.py").write_text(TARGETS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = Settings.load(tmp_path / "home", telemetry={"log_level": "ERROR"})
    make_home(settings)
    started: list[SupervisedProcess] = []

    def make(function: str) -> SupervisedProcess:
        spec = ProcessSpec(function, f"process_targets:{function}", drain_s=1)
        made = SupervisedProcess(spec, 0, settings)
        started.append(made)
        return made

    yield make
    for one in started:
        one.kill()
        _until(one.reap)


def _until(done: Callable[[], object], within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.02)


def _ticked_until(process: SupervisedProcess, *states: PartState) -> None:
    def look() -> bool:
        process.tick()
        return process.state in states

    _until(look)


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_ready_then_drained_on_request(start: Callable[[str], SupervisedProcess]) -> None:
    process = start("obedient")
    assert process.state is PartState.STARTING
    _ticked_until(process, PartState.READY)
    assert process.part().pid > 0
    process.terminate()
    assert process.state is PartState.STOPPING
    _until(process.reap)
    assert (process.settings.home / "drained").exists()
    assert process.restarts == 0


def test_a_killed_process_is_started_again(start: Callable[[str], SupervisedProcess]) -> None:
    process = start("obedient")
    _ticked_until(process, PartState.READY)
    first = process.part().pid
    os.kill(first, signal.SIGKILL)
    _ticked_until(process, PartState.RESTARTING)
    assert "signal 9" in process.detail
    _ticked_until(process, PartState.READY)
    assert process.part().pid not in (0, first)
    assert process.restarts == 1


def test_a_crash_loop_backs_off_and_is_reported_without_values(
    start: Callable[[str], SupervisedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CRASH_LOOP_AFTER", 3)
    process = start("crashing")
    began = time.monotonic()
    _ticked_until(process, PartState.CRASH_LOOP)
    assert time.monotonic() - began > 0.5 + 1.0  # the first two waits
    assert process.failures == 3
    assert "ValueError" in process.detail
    assert "Nguyen" not in process.detail


def test_returning_on_its_own_is_a_failure(start: Callable[[str], SupervisedProcess]) -> None:
    process = start("returning")
    _ticked_until(process, PartState.RESTARTING)
    assert "on its own" in process.detail


def test_a_missing_target_is_named(start: Callable[[str], SupervisedProcess]) -> None:
    process = start("nowhere")
    _ticked_until(process, PartState.RESTARTING)
    assert "AttributeError" in process.detail


def test_a_process_that_will_not_drain_can_be_killed(
    start: Callable[[str], SupervisedProcess],
) -> None:
    process = start("stubborn")
    _ticked_until(process, PartState.READY)
    process.terminate()
    time.sleep(0.5)
    assert not process.reap()
    process.kill()
    _until(process.reap)


def test_what_a_crashed_process_started_ends_with_it(
    start: Callable[[str], SupervisedProcess],
) -> None:
    process = start("with_child")
    _ticked_until(process, PartState.READY)
    child = int((process.settings.home / "child").read_text())
    assert _alive(child)
    os.kill(process.part().pid, signal.SIGKILL)
    _ticked_until(process, PartState.RESTARTING)
    _until(lambda: not _alive(child))


def test_a_process_without_heartbeat_is_killed_and_restarted(
    start: Callable[[str], SupervisedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HUNG_S", 3.0)
    process = start("silent")
    _ticked_until(process, PartState.READY)
    _ticked_until(process, PartState.RESTARTING)
    assert "signal 9" in process.detail


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    (tmp_path / "process_targets.py").write_text(TARGETS)
    code = f"""
import time
from ennead.app.home import make_home
from ennead.app.process import SupervisedProcess
from ennead.contracts import ProcessSpec
from ennead.settings import Settings
settings = Settings.load({str(tmp_path / "home")!r})
make_home(settings)
process = SupervisedProcess(ProcessSpec("x", "process_targets:stubborn"), 0, settings)
while process.state != "ready":
    process.tick()
    time.sleep(0.02)
open({str(tmp_path / "pid")!r}, "w").write(str(process.part().pid))
print("started", flush=True)
time.sleep(600)
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as supervisor:
        assert supervisor.stdout is not None
        while b"started" not in supervisor.stdout.readline():
            assert supervisor.poll() is None
        pid = int((tmp_path / "pid").read_text())
        assert _alive(pid)
        supervisor.kill()
        supervisor.wait()
    _until(lambda: not _alive(pid), within_s=5)


def test_leftovers_of_this_home_alone_are_ended(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "home")
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    processes = [
        subprocess.Popen(sleep, env={**os.environ, HOME_MARK: str(home)})
        for home in (settings.home, tmp_path / "other")
    ]
    try:
        _until(lambda: end_leftovers(settings) == 1)
        assert processes[0].wait(5) == -signal.SIGKILL
        assert processes[1].poll() is None
        assert end_leftovers(settings) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
