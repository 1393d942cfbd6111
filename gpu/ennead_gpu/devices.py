"""What can compute here: the processors with their memory, and every CUDA device.

Answers without PyTorch, and imports it only where there is an NVIDIA device to ask about.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

_KIB_PER_MIB: Final = 1024
_BYTES_PER_MIB: Final = 1024 * 1024
_SMI_FIELDS: Final = "index,uuid,name,memory.total,memory.free,utilization.gpu"
_SMI_SECONDS: Final = 10.0
#: Share of a device's memory that runs and warm models may take; the rest is for everything else.
BUDGET_SHARE: Final = {"cpu": 0.6, "cuda": 0.9}


@dataclass(frozen=True, slots=True)
class Device:
    """One device.

    Parameters
    ----------
    id : str
        As PyTorch names it: ``cpu``, ``cuda:0``.
    kind : str
        ``cpu`` or ``cuda``.
    title : str
        The maker's name.
    total_mib, free_mib : int
        Memory; of the processors what the machine, or the container's limit, leaves.
    utilisation_percent : float, optional
        0 to 100; None where it cannot be read.
    """

    id: str
    kind: str
    title: str
    total_mib: int
    free_mib: int
    utilisation_percent: float | None = None

    @property
    def budget_mib(self) -> float:
        """MiB that runs and warm models may take unless told otherwise."""
        return self.total_mib * BUDGET_SHARE[self.kind]

    def as_json(self) -> dict[str, Any]:
        """Its fields, for the device page."""
        return asdict(self)


class Inventory:
    """Reads the devices; remembers the processors' times, whose differences are utilisation.

    Parameters
    ----------
    proc : Path
        Where the kernel tells about processors and memory.
    smi : str
        The program that tells about NVIDIA devices.
    """

    def __init__(self, proc: Path = Path("/proc"), smi: str = "nvidia-smi") -> None:
        self._proc, self._smi = proc, smi
        self._times: tuple[int, int] | None = None

    def devices(self) -> list[Device]:
        """The processors first, then CUDA devices in their order."""
        return [self._cpu(), *self._cuda()]

    def _cpu(self) -> Device:
        memory = _pairs(self._proc / "meminfo")
        total = _number(memory.get("MemTotal", "")) // _KIB_PER_MIB
        free = _number(memory.get("MemAvailable", "")) // _KIB_PER_MIB
        limit, used = _container_mib()
        if limit is not None and limit < total:
            total, free = limit, max(0, min(free, limit - used))
        return Device(
            id="cpu",
            kind="cpu",
            title=f"{_pairs(self._proc / 'cpuinfo').get('model name', 'CPU')} × {_cores()}",
            total_mib=total,
            free_mib=free,
            utilisation_percent=self._busy(),
        )

    def _busy(self) -> float | None:
        """Percent of the time since the last question that the processors were busy."""
        try:
            first = (self._proc / "stat").read_text().partition("\n")[0].split()[1:9]
        except OSError:
            return None
        spent = [int(part) for part in first]
        now = (sum(spent), spent[3] + spent[4])
        before, self._times = self._times, now
        if before is None or now[0] <= before[0]:
            return None
        return round(100 * (1 - (now[1] - before[1]) / (now[0] - before[0])), 1)

    def _cuda(self) -> list[Device]:
        rows = self._asked_smi()
        present = rows or (Path("/dev/nvidiactl").exists() and self._proc == Path("/proc"))
        if present and ("torch" in sys.modules or importlib.util.find_spec("torch")):
            return _asked_torch({row[1]: row for row in rows})
        return [
            Device(
                f"cuda:{row[0]}", "cuda", row[2], _number(row[3]), _number(row[4]), _maybe(row[5])
            )
            for row in rows
        ]

    def _asked_smi(self) -> list[list[str]]:
        program = shutil.which(self._smi)
        if program is None:
            return []
        command = [program, f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_SMI_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("nvidia-smi does not answer", error=str(error))
            return []
        wanted = _SMI_FIELDS.count(",") + 1
        found = [[cell.strip() for cell in row] for row in csv.reader(done.stdout.splitlines())]
        return [row for row in found if len(row) == wanted]


def _asked_torch(by_uuid: dict[str, list[str]]) -> list[Device]:
    """Devices that this process may use, in its own numbering."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        row = by_uuid.get(f"GPU-{getattr(properties, 'uuid', '')}")
        free = _number(row[4]) if row else torch.cuda.mem_get_info(index)[0] // _BYTES_PER_MIB
        found.append(
            Device(
                id=f"cuda:{index}",
                kind="cuda",
                title=str(properties.name),
                total_mib=int(properties.total_memory // _BYTES_PER_MIB),
                free_mib=int(free),
                utilisation_percent=_maybe(row[5]) if row else None,
            )
        )
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pairs(file: Path) -> dict[str, str]:
    """``name: value`` lines; the first of equal names counts."""
    found: dict[str, str] = {}
    try:
        lines: Sequence[str] = file.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def _container_mib() -> tuple[int | None, int]:
    """Limit and use of memory of this control group (version 2)."""
    place = Path("/sys/fs/cgroup")
    try:
        limit = (place / "memory.max").read_text().strip()
        used = (place / "memory.current").read_text().strip()
    except OSError:
        return None, 0
    if not limit.isdigit():
        return None, 0
    return int(limit) // _BYTES_PER_MIB, int(used) // _BYTES_PER_MIB


def _number(text: str) -> int:
    digits = text.split()[0] if text.split() else ""
    return int(digits) if digits.isdigit() else 0


def _maybe(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() else None
