"""Where a model runs: on a GPU by its host, in smaller tiles when memory ends, else on the CPU."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

from ennead.contracts import Volume
from ennead.errors import RunnerUnavailable
from ennead_gpu.devices import Device, Inventory
from ennead_gpu.fallback import Plan, ladder
from ennead_gpu.host import ModelHost, host_actor, host_state
from ennead_models.predict import Prediction, predict
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.warm import open_source

#: Memory of a GPU that a model takes besides its weights, where nobody measured or said it.
_UNKNOWN_MIB: Final = 1536
_BYTES_PER_MIB: Final = 1024 * 1024
#: Voxels along an axis of a tile that the manifest leaves open; as the runners have it.
_OPEN_TILE: Final = 128


@dataclass(frozen=True, slots=True)
class Answered:
    """What came, and in which precision it was computed."""

    prediction: Prediction
    precision: str


def need_mib(source: ModelSource) -> float:
    """GPU memory of a run: the larger of what the manifest says and what a dry run measured."""
    said = source.manifest.resources.vram_gib * 1024
    measured = float(source.model.measured.get("vram_mib", 0.0))
    weights = source.manifest.weights.size_bytes / _BYTES_PER_MIB
    return max(said, measured) or _UNKNOWN_MIB + 2 * weights


def devices_for(source: ModelSource, gpus: Sequence[Device] | None = None) -> tuple[str, ...]:
    """The devices to try, the wished one first: a GPU that is large enough, then the CPU.

    Raises
    ------
    RunnerUnavailable
        The model needs a GPU, and there is none that is large enough.
    """
    need = need_mib(source)
    fitting = [g for g in (cuda_devices() if gpus is None else gpus) if g.budget_mib >= need]
    fitting.sort(key=lambda g: -g.free_mib)
    found = tuple(g.id for g in fitting[:1])
    if source.manifest.resources.cpu_ok:
        return (*found, "cpu")
    if not found:
        raise RunnerUnavailable(
            f"{source.manifest.id} {source.manifest.version} runs on a GPU with {need:.0f} MiB "
            "only; this machine has none. Use another machine, or a model with cpu_ok = true."
        )
    return found


@cache
def cuda_devices() -> tuple[Device, ...]:
    """The CUDA devices of this machine; asked once by each process."""
    return tuple(d for d in Inventory().devices() if d.kind == "cuda")


def plans(source: ModelSource, devices: Sequence[str]) -> Iterator[Plan]:
    """Ways to run, the wished one first; tiles shrink only where the network allows it."""
    given = source.manifest.input
    free = [rule for rule in given.shape if "n" in rule]
    if given.dimensions != 3 or len(free) != 3 or given.fit != "tile":
        yield from (Plan(device, (0, 0, 0)) for device in devices)
        return
    steps = tuple(int(rule.removesuffix("n").removesuffix("*") or 1) for rule in given.shape)
    tile = tuple(source.manifest.resources.tile) or tuple(
        step * math.ceil(_OPEN_TILE / step) for step in steps
    )
    first = True
    for plan in ladder(
        (tile[0], tile[1], tile[2]), devices, multiple=(steps[0], steps[1], steps[2])
    ):
        # The manifest's own tile, and the runner's choice where it names none, come first.
        yield replace(plan, tile=(0, 0, 0)) if first else plan
        first = False


def with_tile(source: ModelSource, tile: tuple[int, int, int]) -> ModelSource:
    """The source with another tile; (0, 0, 0) leaves it as it is."""
    if not any(tile):
        return source
    manifest = source.manifest
    resources = manifest.resources.model_copy(update={"tile": list(tile)})
    changed = manifest.model_copy(update={"resources": resources})
    return replace(source, model=replace(source.model, manifest=changed))


def on_host(
    source: ModelSource,
    device: str,
    volume: Volume,
    limits: Mapping[str, float],
    priority: int,
) -> Answered:
    """Run on a device that is shared by all jobs of this machine, when it has the memory.

    Raises
    ------
    DeviceMemoryExhausted
        The model is larger than the device.
    DeviceBusy
        It waited too long.
    """
    ray = running_ray()
    load = partial(open_source, source, device)
    if ray is None:
        call = partial(_predict, volume.values, volume.grid, dict(limits))
        return own_host(device).run(source.key, load, call, need_mib(source), priority)
    node = ray.get_runtime_context().get_node_id()
    actor = host_actor(device, place=node)
    call = partial(_fetch_and_predict, ray.put(volume.values), volume.grid, dict(limits))
    answered: Answered = ray.get(
        actor.run.remote(source.key, load, call, need_mib(source), priority)
    )
    return answered


def hosted(device: str) -> dict[str, Any] | None:
    """Leases, warm models and queue of a device of this machine; None while no job used it."""
    ray = running_ray()
    if ray is None:
        return None
    return host_state(device, place=ray.get_runtime_context().get_node_id())


def running_ray() -> Any:
    """Ray, where this process has it running; else None."""
    ray: Any = sys.modules.get("ray")
    return ray if ray is not None and ray.is_initialized() else None


@cache
def own_host(device: str) -> ModelHost:
    """The host of a device in a process that has no Ray, such as the command line."""
    return ModelHost(device)


def _predict(
    values: Any, grid: Any, limits: Mapping[str, float], opened: Any, stop: Callable[[], bool]
) -> Answered:
    found = predict(opened, values, grid, thresholds=limits, cancelled=stop)
    return Answered(found, precision_of(opened))


def _fetch_and_predict(
    reference: Any, grid: Any, limits: Mapping[str, float], opened: Any, stop: Callable[[], bool]
) -> Answered:
    import ray

    return _predict(ray.get(reference), grid, limits, opened, stop)


def precision_of(opened: Any) -> str:
    """The precision an opened model computes in."""
    stated = getattr(opened, "precision", "")
    if stated:
        return str(stated)
    return "fp32" if opened.device == "cpu" else str(opened.manifest.resources.precision[0])
