"""Out of memory is no end: smaller tiles, then the processors, and every step is told."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import structlog

from ennead.errors import DeviceMemoryExhausted

log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

#: What allocators say when they have nothing left; compared in lower case.
_SAYINGS: Final = (
    "out of memory",  # PyTorch CUDA, CUDA through ONNX Runtime ("CUDA failure 2: out of memory")
    "can't allocate memory",  # PyTorch CPU (c10 DefaultCPUAllocator)
    "not enough memory",  # PyTorch CPU on other systems
    "failed to allocate memory",  # ONNX Runtime arena
    "bad_alloc",  # ONNX Runtime, TorchScript
    "bad allocation",
    "_status_alloc_failed",  # cuBLAS, cuDNN
)
#: Names of exception classes that speak like this.
_SPEAKERS: Final = (RuntimeError, OSError)
#: A tile is not made smaller than this along an axis.
SMALLEST_TILE: Final = 32


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of PyTorch, ONNX Runtime or Python says that memory is used up.

    Notes
    -----
    ``torch.OutOfMemoryError`` is a RuntimeError whose message says so; ONNX Runtime's exceptions
    (``Fail``, ``RuntimeException``, ``EPFail``) derive from Exception only.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, MemoryError):
            return True
        foreign = type(cause).__module__.partition(".")[0] in ("onnxruntime", "torch")
        if foreign or isinstance(cause, _SPEAKERS):
            text = str(cause).lower()
            if any(saying in text for saying in _SAYINGS):
                return True
        cause = cause.__cause__ or cause.__context__
    return False


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to run: where, and in what tiles."""

    device: str
    tile: tuple[int, int, int]
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """A plan that was tried, and what came of it.

    Parameters
    ----------
    outcome : str
        ``done`` or ``out_of_memory``; the text is ``gpu.step.<outcome>``.
    message : str
        What the library said.
    """

    plan: Plan
    outcome: str
    seconds: float
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        """Text key and values, for the job's page."""
        return {
            "key": f"gpu.step.{self.outcome}",
            "values": {
                "device": self.plan.device,
                "tile": " × ".join(map(str, self.plan.tile)),
                "batch": self.plan.batch,
                "seconds": round(self.seconds, 2),
            },
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_Result]):
    """A result, and every step on the way to it; the last one is the plan that worked."""

    result: _Result
    steps: tuple[Step, ...]


def ladder(
    tile: tuple[int, int, int],
    devices: Sequence[str],
    *,
    batch: int = 1,
    multiple: tuple[int, int, int] = (16, 16, 16),
    smallest: int = SMALLEST_TILE,
) -> Iterator[Plan]:
    """Plans from the wished one down: one tile at a time, smaller tiles, then the next device.

    Parameters
    ----------
    devices : sequence of str
        The wished one first: ``("cuda:0", "cpu")``.
    multiple : (int, int, int)
        What the network needs each length to be a multiple of.
    smallest : int
        Tiles are not made smaller along an axis; one that is smaller already stays.
    """
    for device in devices:
        now = tile
        yield Plan(device, now, batch)
        if batch > 1:
            yield Plan(device, now, 1)
        while (smaller := _smaller(now, multiple, smallest)) != now:
            now = smaller
            yield Plan(device, now, 1)


def _smaller(
    tile: tuple[int, int, int], multiple: tuple[int, int, int], smallest: int
) -> tuple[int, int, int]:
    """Half the longest axis that may still shrink."""
    for axis in sorted(range(3), key=lambda a: -tile[a]):
        step = multiple[axis]
        least = -(-min(smallest, tile[axis]) // step) * step
        half = max(tile[axis] // 2 // step * step, least)
        if half < tile[axis]:
            return tuple(half if a == axis else tile[a] for a in range(3))  # type: ignore[return-value]
    return tile


def attempt(
    run: Callable[[Plan], _Result],
    plans: Iterator[Plan] | Sequence[Plan],
    *,
    told: Callable[[Step], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome[_Result]:
    """Try plan after plan until one has memory enough.

    Parameters
    ----------
    run : callable
        Runs a plan. Only running out of memory goes on to the next one; other errors are its own.
    told : callable, optional
        Gets each step as soon as it is over.

    Raises
    ------
    DeviceMemoryExhausted
        No plan had enough; ``details["steps"]`` lists them.
    """
    steps: list[Step] = []
    for plan in plans:
        began = clock()
        try:
            result = run(plan)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            message = f"{type(error).__name__}: {error}".partition("\n")[0]
        else:
            steps.append(Step(plan, "done", clock() - began))
            if told is not None:
                told(steps[-1])
            return Outcome(result, tuple(steps))
        # Outside the handler the error, and the tensors in its frames, are gone.
        _give_back()
        steps.append(Step(plan, "out_of_memory", clock() - began, message))
        log.warning("out of memory", device=plan.device, tile=plan.tile, said=message)
        if told is not None:
            told(steps[-1])
    tried = "; ".join(f"{s.plan.device} with tiles of {s.plan.tile}" for s in steps) or "nothing"
    raise DeviceMemoryExhausted(
        f"Nowhere was memory enough. Tried: {tried}. Give the model a smaller tile, or the machine "
        "more memory.",
        steps=[step.as_json() for step in steps],
    )


def _give_back() -> None:
    """Return cached blocks to the device, where PyTorch has been at work."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
