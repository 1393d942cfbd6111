"""A device's host: what it runs, keeps and shows; then the same as a Ray actor."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ennead.errors import DeviceMemoryExhausted, NotFound, PredictionCancelled
from ennead_gpu.fallback import Plan, attempt, ladder
from ennead_gpu.host import ModelHost


class Model:
    """Knows whether it was closed."""

    def __init__(self, key: str) -> None:
        self.key, self.closed = key, False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def host() -> ModelHost:
    return ModelHost("cpu", 100)


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_a_model_is_run_and_stays_warm(host: ModelHost) -> None:
    loaded: list[str] = []

    def load() -> Model:
        loaded.append("a")
        return Model("a")

    for n in range(3):
        assert host.run("a", load, lambda model, stop: (model.key, 7), mib=30, priority=n) == (
            "a",
            7,
        )
    state = host.state()
    assert loaded == ["a"] and state["finished"] == 3
    assert state["residents"][0] | {"idle_s": 0} == {
        "model": "a",
        "mib": 30,
        "in_use": 0,
        "uses": 3,
        "loading": False,
        "idle_s": 0,
    }
    assert (state["leased_mib"], state["resident_mib"], state["running"]) == (0, 30, [])


def test_idle_models_leave_when_a_run_needs_their_place(host: ModelHost) -> None:
    models = {key: Model(key) for key in "abc"}
    for key in "ab":
        host.run(key, lambda key=key: models[key], lambda m, s: None, mib=50, resident_mib=40)
    assert host.state()["resident_mib"] == 80
    host.run("c", lambda: models["c"], lambda m, s: None, mib=50, resident_mib=40)
    assert models["a"].closed and not models["b"].closed
    host.run("b", lambda: pytest.fail("b is warm"), lambda m, s: None, mib=100, resident_mib=40)
    assert models["c"].closed and not models["b"].closed
    host.sweep(0)
    assert models["b"].closed and host.state()["residents"] == []


def test_leases_and_idle_models_never_exceed_the_budget(host: ModelHost) -> None:
    """Many threads, random sizes: what is loaded or leased is counted at every moment."""
    lock, living, most = threading.Lock(), {"mib": 0.0}, [0.0]

    class Sized:
        def __init__(self, mib: float) -> None:
            self.mib = mib
            with lock:
                living["mib"] += mib
                most[0] = max(most[0], living["mib"])

        def close(self) -> None:
            with lock:
                living["mib"] -= self.mib

    def work(part: int) -> None:
        for n in range(20):
            key = (part * 7 + n * 3) % 5
            mib = 10.0 + 8 * key
            host.run(str(key), lambda mib=mib: Sized(mib), lambda m, s: time.sleep(0.001), mib=mib)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert 50 < most[0] <= 100
    assert host.state()["finished"] == 120


def test_the_queue_shows_who_waits_and_serves_the_urgent_first(host: ModelHost) -> None:
    go, served, begun = threading.Event(), [], threading.Event()

    def block(model: Model, stop: Any) -> None:
        begun.set()
        assert go.wait(5)

    def submit(name: str, priority: int) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: host.run(
                "m",
                lambda: Model("m"),
                lambda m, s: served.append(name),
                mib=80,
                priority=priority,
                run_id=name,
            )
        )
        thread.start()
        return thread

    first = threading.Thread(
        target=lambda: host.run("m", lambda: Model("m"), block, mib=80, run_id="running")
    )
    first.start()
    assert begun.wait(5)
    threads = []
    for name, priority in (("routine", 5), ("stat", 0), ("night", 9)):
        threads.append(submit(name, priority))
        wait_for(lambda: len(host.state()["queue"]) == len(threads))
    state = host.state()
    json.dumps(state)
    assert [(q["run"], q["priority"], q["mib"]) for q in state["queue"]] == [
        ("stat", 0, 80),
        ("routine", 5, 80),
        ("night", 9, 80),
    ]
    (running,) = state["running"]
    assert running["run"] == "running" and running["model"] == "m" and running["since_s"] >= 0
    assert state["device"]["id"] == "cpu" and state["device"]["total_mib"] > 0
    go.set()
    for thread in [first, *threads]:
        thread.join(5)
    assert served == ["stat", "routine", "night"]


def test_waiting_and_running_runs_can_be_cancelled(host: ModelHost) -> None:
    begun, found = threading.Event(), {}

    def run(name: str) -> None:
        def call(model: Model, stop: Callable[[], bool]) -> None:
            begun.set()
            wait_for(stop)
            raise PredictionCancelled("between two tiles")

        try:
            host.run("m", lambda: Model("m"), call, mib=100, run_id=name)
        except PredictionCancelled as error:
            found[name] = error.message

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    wait_for(lambda: host.state()["queue"])
    host.cancel("two")
    threads[1].join(5)
    assert "waited" in found["two"]
    host.cancel("one")
    threads[0].join(5)
    assert found["one"] == "between two tiles"
    with pytest.raises(NotFound):
        host.cancel("one")
    assert host.state()["leased_mib"] == 0


def test_a_load_or_a_run_that_fails_leaves_the_host_whole(host: ModelHost) -> None:
    def broken() -> Model:
        raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        host.run("a", broken, lambda m, s: None, mib=100)
    with pytest.raises(ZeroDivisionError):
        host.run("a", lambda: Model("a"), lambda m, s: 1 / 0, mib=100)
    assert host.run("a", lambda: pytest.fail("a is warm"), lambda m, s: m.key, mib=100) == "a"
    assert host.state()["leased_mib"] == 0


def test_a_job_that_finds_no_memory_ends_on_the_processors() -> None:
    """Admission refuses, the network runs out in the middle, and still there is a result."""
    small, large = ModelHost("cpu", 100), ModelHost("cpu", 1000)
    hosts = {"cuda:0": small, "cpu": large}

    def run(plan: Plan) -> tuple[int, ...]:
        voxels = plan.tile[0] * plan.tile[1] * plan.tile[2]

        def call(model: Model, stop: Any) -> tuple[int, ...]:
            if voxels > 40_000:
                raise MemoryError("in the middle of a tile")
            return plan.tile

        mib = 150 if plan.device == "cuda:0" and voxels > 150_000 else 90
        return hosts[plan.device].run("m", lambda: Model("m"), call, mib=mib)

    outcome = attempt(run, ladder((64, 64, 64), ("cuda:0", "cpu")))
    assert outcome.result == (32, 32, 32)
    assert [s.outcome for s in outcome.steps] == ["out_of_memory"] * 3 + ["done"]
    assert "DeviceMemoryExhausted" in outcome.steps[0].message
    assert "in the middle" in outcome.steps[1].message
    assert small.state()["leased_mib"] == 0
    with pytest.raises(DeviceMemoryExhausted):
        small.run("m", lambda: Model("m"), lambda m, s: None, mib=101)


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(NotFound, match="cuda:77"):
        ModelHost("cuda:77", 100)


_ACTOR = """
import sys, threading, ray
from pathlib import Path
from ennead.settings import Settings
from ennead_gpu.ray import RayRuntime
from ennead_gpu.host import host_actor
runtime = RayRuntime(Settings.load(Path(sys.argv[1]), ray={"cpus": 1}))
runtime.start()
try:
    host = host_actor("cpu", 100)
    same = host_actor("cpu", 100)
    def load():
        return {"weights": 7}
    def call(model, stop):
        import time
        end = time.monotonic() + 20
        while not stop() and time.monotonic() < end:
            time.sleep(0.01)
        return "stopped" if stop() else "late"
    quick = ray.get(host.run.remote("m", load, lambda m, s: m["weights"] * 6, 60))
    slow = host.run.remote("m", load, call, 60, 1, None, run_id="slow")
    while not ray.get(host.state.remote())["running"]:
        pass
    state = ray.get(same.state.remote())
    ray.get(same.cancel.remote("slow"))
    print(quick, state["running"][0]["run"], state["residents"][0]["uses"], ray.get(slow))
    print(ray.available_resources().get("CPU"))
finally:
    runtime.stop()
"""


def test_as_a_ray_actor_it_takes_no_processor(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ACTOR, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split()[-5:] == ["42", "slow", "2", "stopped", "1.0"], done.stderr[-2000:]
