"""Keeping a package inside its manifest's limits while it runs in a Ray worker.

Ray admits a task by the processors and the memory that its manifest asks for; it does not hold the
task to them. A thread beside the package does: it compares the memory that the run has added to
the process and the processor time that it has used with the limits, and calls ``on_overrun`` once.
Volumes in the object store are shared memory and do not count.

A package in the sandbox (:mod:`ennead_pipelines.sandbox`) is limited by the kernel instead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from ennead.plugins.manifest import Runtime

#: Text keys of what was passed; see ``texts/*/queue.toml``.
MEMORY: Final = "queue.memory"
PROCESSOR: Final = "queue.processor"
_MIB: Final = 1024**2
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Overrun:
    """A limit that was passed: its text key and the text's values."""

    key: str
    values: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may take: memory beyond what the process had, processor seconds in all."""

    ram_mib: int
    cpu_s: float

    @classmethod
    def of(cls, runtime: Runtime) -> RunLimits:
        """The limits of a manifest: ``ram_mib``, and ``cpu`` for as long as ``timeout_s``."""
        return cls(runtime.ram_mib, runtime.cpu * runtime.timeout_s)

    def passed(self, ram_bytes: float, cpu_s: float) -> Overrun | None:
        """The limit that these figures pass, if any."""
        if ram_bytes > self.ram_mib * _MIB:
            return Overrun(MEMORY, {"limit_mib": self.ram_mib})
        if cpu_s > self.cpu_s:
            return Overrun(PROCESSOR, {"limit_s": round(self.cpu_s, 1)})
        return None


class RunGuard:
    """Watches this process from a thread while the ``with`` block runs.

    Parameters
    ----------
    on_overrun : callable
        Called once, from the thread, with what was passed; it usually ends the process.
    every_s : float
        Between two looks.
    """

    def __init__(
        self, limits: RunLimits, on_overrun: Callable[[Overrun], None], every_s: float = 0.05
    ) -> None:
        self._limits = limits
        self._on_overrun = on_overrun
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="limits", daemon=True)

    def __enter__(self) -> RunGuard:
        self._ram_bytes = own_memory_bytes()
        self._cpu_s = time.process_time()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._every_s):
            ram_bytes = own_memory_bytes() - self._ram_bytes
            passed = self._limits.passed(ram_bytes, time.process_time() - self._cpu_s)
            if passed is not None:
                self._on_overrun(passed)
                return


def own_memory_bytes(status: Path = _STATUS) -> int:
    """Resident memory of a process that is its own (not shared, not a file); 0 if unknown."""
    try:
        text = status.read_text(encoding="ascii")
    except OSError:
        return 0
    _, found, rest = text.partition("RssAnon:")
    return int(rest.split()[0]) * 1024 if found else 0
