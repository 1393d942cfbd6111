"""How much memory a model takes: measured by a dry run, then remembered in a small book."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ennead.errors import ServiceError

_KIB_PER_MIB: Final = 1024
_BYTES_PER_MIB: Final = 1024 * 1024
#: Written to ``clear_refs``, sets the peak resident size back to the present one (proc(5)).
_RESET_PEAK: Final = "5"


@dataclass(slots=True)
class Peak:
    """What :func:`measured` found, once its block has ended."""

    mib: float = 0.0


@contextmanager
def measured(device: str) -> Iterator[Peak]:
    """Measure the most memory that the block takes beyond what was taken before it.

    Parameters
    ----------
    device : str
        ``cpu``: the kernel's own high-water mark of this process's resident memory, which sees
        weights and scratch memory that no allocator of Python knows. ``cuda:N``: PyTorch's peak
        of allocated bytes on that device.

    Notes
    -----
    Both are of the whole process: :func:`dry_run` gives one that does nothing else.
    """
    peak = Peak()
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        torch.cuda.synchronize(device)
        peak.mib = (torch.cuda.max_memory_allocated(device) - before) / _BYTES_PER_MIB
        return
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    resident = _status_mib("VmRSS")
    yield peak
    peak.mib = max(0.0, _status_mib("VmHWM") - resident)


def dry_run(target: Callable[[], Any], device: str, timeout_s: float = 600.0) -> float:
    """MiB that loading a model and running a tile take, measured in a process of their own.

    Parameters
    ----------
    target : callable
        Loads the model on ``device`` and runs one batch of tiles. It is pickled: a module's
        function, or a ``functools.partial`` of one.

    Raises
    ------
    ServiceError
        The process failed, was killed (too little memory) or did not end in time.
    """
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(target, device, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(timeout_s) else "no answer in time"
    except EOFError:
        child.join(1.0)
        answer = f"the process ended with status {child.exitcode}"
    finally:
        ours.close()
        child.kill()
        child.join()
    if isinstance(answer, float):
        return answer
    raise ServiceError(f"The dry run on {device} failed: {answer}.")


def _measure(target: Callable[[], Any], device: str, answer: Any) -> None:
    with measured(device) as peak:
        try:
            target()
        except Exception as error:  # told to the process that asked
            answer.send(f"{type(error).__name__}: {error}")
            return
    answer.send(peak.mib)


def _status_mib(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / _KIB_PER_MIB
    raise ServiceError(f"The kernel does not tell {name} of this process.")


@dataclass(frozen=True, slots=True)
class Load:
    """What memory depends on.

    Parameters
    ----------
    digest : str
        Of the model; another version is another load.
    tile : tuple of int
        Voxels of a tile.
    batch : int
        Tiles at a time.
    precision : str
        ``fp32``, ``fp16``, ``bf16``.
    device : str
        Kind or title of the device: two cards of one make are alike.
    """

    digest: str
    tile: tuple[int, ...]
    batch: int
    precision: str
    device: str

    @property
    def key(self) -> str:
        """Its line in the book."""
        tile = "x".join(map(str, self.tile))
        return f"{self.digest}|{tile}|{self.batch}|{self.precision}|{self.device}"


class MemoryBook:
    """Measured MiB by :class:`Load`, in a JSON file that several processes share.

    Parameters
    ----------
    file : Path
        Made when the first figure is written. One that cannot be read counts as empty: every
        figure in it can be measured again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, load: Load) -> float | None:
        """Measured MiB, or None."""
        return self._read().get(load.key)

    def record(self, load: Load, mib: float) -> None:
        """Write a figure down; of several the largest stays."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self._file}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            figures = self._read()
            figures[load.key] = round(max(mib, figures.get(load.key, 0.0)), 1)
            fresh = Path(f"{self._file}.new")
            fresh.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
            os.replace(fresh, self._file)

    def need(self, load: Load, measure: Callable[[], float], stated_mib: float = 0.0) -> float:
        """MiB to lease: what was measured, at first by ``measure``, or stated if that is more."""
        known = self.get(load)
        if known is None:
            known = measure()
            self.record(load, known)
        return max(known, stated_mib)

    def _read(self) -> dict[str, float]:
        try:
            figures = json.loads(self._file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        if not isinstance(figures, dict):
            return {}
        return {str(k): float(v) for k, v in figures.items() if isinstance(v, (int, float))}
