"""Which device a model runs on, and what happens when its memory ends."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.errors import DeviceMemoryExhausted, RunnerUnavailable, TensorMismatch
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.settings import Settings
from ennead_gpu.devices import Device
from ennead_gpu.host import ModelHost, host_actor
from ennead_gpu.ray import RayRuntime
from ennead_models.predict import Prediction
from ennead_models.records import InstalledModel
from ennead_models.testing.folders import bright_box, small_grid
from ennead_pipelines.jobs.terms import INTERACTIVE, OFF_PEAK, STAT
from ennead_pipelines.networks import answer, devices
from ennead_pipelines.networks.answer import ask, recorded
from ennead_pipelines.networks.devices import Answered, devices_for, need_mib, plans
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.warm import WarmModels

Install = Callable[..., InstalledModel]
TILED = {"input__shape": ["16*n", "16*n", "16*n"], "resources__tile": [64, 64, 32]}


def gpu(number: int, total: int, free: int) -> Device:
    return Device(f"cuda:{number}", "cuda", "card", total, free)


@pytest.fixture
def source(install: Install, settings: Settings) -> Callable[..., ModelSource]:
    return lambda **changes: ModelSource.of(install(**changes), settings)


@pytest.fixture
def volume() -> Volume:
    grid = Grid((4, 4, 4), (0, 0, 0), ((0, 0, 1), (0, 1, 0), (1, 0, 0)), (1.0, 1.0, 1.0))
    values = np.full(grid.shape, 100, np.float32)
    return Volume(values, grid, StudyUID("1"), SeriesUID("2"), "CT", (), {})


def silent(fraction: float, text_key: str) -> None:
    del fraction, text_key


def test_the_freest_gpu_that_is_large_enough(source: Callable[..., ModelSource]) -> None:
    small = source(resources__vram_gib=4.0)
    gpus = [gpu(0, 8000, 1000), gpu(1, 8000, 6000), gpu(2, 3000, 3000)]
    assert devices_for(small, gpus) == ("cuda:1", "cpu")
    assert devices_for(small, []) == ("cpu",)
    large = source(id="large", resources__vram_gib=40.0, resources__cpu_ok=False)
    with pytest.raises(RunnerUnavailable, match="40960 MiB"):
        devices_for(large, gpus)
    assert devices_for(large, [gpu(0, 80_000, 80_000)]) == ("cuda:0",)


def test_what_was_measured_counts_when_it_is_more(source: Callable[..., ModelSource]) -> None:
    said = source(resources__vram_gib=2.0)
    assert need_mib(said) == 2048
    measured = replace(said, model=replace(said.model, measured={"vram_mib": 3000}))
    assert need_mib(measured) == 3000
    assert need_mib(source(id="silent")) > 1000


def test_tiles_shrink_where_the_network_allows(source: Callable[..., ModelSource]) -> None:
    found = [(p.device, p.tile) for p in plans(source(**TILED), ("cuda:0", "cpu"))]
    assert found == [
        ("cuda:0", (0, 0, 0)),
        ("cuda:0", (32, 64, 32)),
        ("cuda:0", (32, 32, 32)),
        ("cpu", (64, 64, 32)),
        ("cpu", (32, 64, 32)),
        ("cpu", (32, 32, 32)),
    ]
    fixed = source(id="fixed", input__shape=["16", "16", "16"], resources__tile=[])
    assert [(p.device, p.tile) for p in plans(fixed, ("cuda:0", "cpu"))] == [
        ("cuda:0", (0, 0, 0)),
        ("cpu", (0, 0, 0)),
    ]


def test_out_of_memory_ends_on_the_cpu(
    source: Callable[..., ModelSource],
    volume: Volume,
    opened: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[list[int]] = []

    def exhausted(tiled: ModelSource, *_: Any) -> Any:
        tried.append(list(tiled.manifest.resources.tile))
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")

    monkeypatch.setattr(answer, "on_host", exhausted)
    with recorded() as asked:
        found = ask(source(**TILED), volume, {}, silent, devices=("cuda:0", "cpu"))
    assert tried == [[64, 64, 32], [32, 64, 32], [32, 32, 32]]
    assert found.mask("bright").all()
    assert asked["bright"][1] == "fp32"
    assert len(opened) == 1


@pytest.mark.parametrize(("priority", "step"), [(INTERACTIVE, 0), (STAT, 1), (OFF_PEAK, 9)])
def test_a_gpu_lets_the_jobs_in_by_their_priority(
    source: Callable[..., ModelSource],
    volume: Volume,
    monkeypatch: pytest.MonkeyPatch,
    priority: int,
    step: int,
) -> None:
    asked_with: list[int] = []

    def on_host(*given: Any) -> Answered:
        asked_with.append(given[-1])
        return Answered(Prediction(scores={}), "fp16")

    monkeypatch.setattr(answer, "on_host", on_host)
    with recorded(priority):
        ask(source(), volume, {}, silent, devices=("cuda:0",))
    ask(source(), volume, {}, silent, devices=("cuda:0",))
    assert asked_with == [step, 5]


def test_other_errors_are_not_tried_elsewhere(
    source: Callable[..., ModelSource], volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise TensorMismatch("two channels")

    monkeypatch.setattr(answer, "on_host", broken)
    with pytest.raises(TensorMismatch):
        ask(source(**TILED), volume, {}, silent, devices=("cuda:0", "cpu"))

    def exhausted(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(answer, "on_host", exhausted)
    with pytest.raises(DeviceMemoryExhausted, match="Nowhere"):
        ask(source(id="second", **TILED), volume, {}, silent, devices=("cuda:0",))


def test_a_host_runs_it_once_opened(
    source: Callable[..., ModelSource],
    volume: Volume,
    opened: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host of the command line; on the CPU here, where no GPU is."""
    from ennead_pipelines.networks import warm

    host = ModelHost("cpu", 4096)
    monkeypatch.setattr(devices, "running_ray", lambda: None)
    monkeypatch.setattr(devices, "own_host", lambda device: host)
    monkeypatch.setattr(devices, "open_source", warm.open_source)
    asked_with = source(resources__vram_gib=1.0)
    for _ in range(2):
        found = ask(asked_with, volume, {}, silent, devices=("cuda:0",), warm=WarmModels())
        assert found.version == "1.0.0"
    assert (len(opened), opened[0].asked) == (1, 2)
    assert host.state()["residents"][0]["model"] == asked_with.key
    too_large = source(id="large", resources__vram_gib=100.0)
    with pytest.raises(DeviceMemoryExhausted):
        ask(too_large, volume, {}, silent, devices=("cuda:0",))


def test_a_host_in_ray_runs_it_for_every_process(
    ray_runtime: RayRuntime, real_model: Callable[..., InstalledModel], settings: Settings
) -> None:
    """The actor that a GPU has in each machine, with a real network; on the CPU here."""
    import ray

    source = ModelSource.of(real_model(resources__vram_gib=1.0), settings)
    values = bright_box(small_grid())
    image = Volume(values, small_grid(), StudyUID("1"), SeriesUID("2"), "CT", (), {})
    for _ in range(2):
        answered = devices.on_host(source, "cpu", image, {}, 5)
    assert answered.prediction.labels is not None
    assert np.array_equal(answered.prediction.labels == 1, values > 0)
    assert answered.precision == "fp32"
    node = ray.get_runtime_context().get_node_id()
    state = ray.get(host_actor("cpu", place=node).state.remote())
    assert [(r["model"], r["uses"]) for r in state["residents"]] == [(source.key, 2)]
