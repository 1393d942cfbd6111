"""What a process gives up before it loads code that nobody here wrote.

Three things are wanted of the kernel: no network, no files but those named, no other processes.
Each can be had in more than one way; what could not be had is told, never passed over.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ennead.sandbox import kernel

#: What full isolation consists of.
WANTED: Final = ("network", "files", "processes")
#: Files of the system that numerical libraries read.
SYSTEM: Final = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/fonts",
    "/etc/ssl",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
#: Of the interpreter and the libraries themselves, beyond what the package may take.
BASE_BYTES: Final = 256 * 1024**2
_OPEN_FILES: Final = 256
_THREADS: Final = 512


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a child is held to.

    Parameters
    ----------
    readable : sequence of str
        Folders of the interpreter and the package.
    scratch : str
        The one folder that may be written.
    ram_bytes : int
        Private memory beyond the interpreter's own.
    shared_bytes : int
        Of the volumes, which are mapped and not copied.
    cpu_s : int
        Processor seconds.
    """

    readable: Sequence[str]
    scratch: str
    ram_bytes: int
    shared_bytes: int
    cpu_s: int


def confine(wanted: Confinement) -> dict[str, str]:
    """Give up everything else; returns how each of :data:`WANTED` was had, "" where it was not.

    To be called with one thread only, before any library is loaded.
    """
    namespace = kernel.leave_network()
    _limit(wanted, namespace)
    kernel.drop_privileges()
    own = f"/proc/{os.getpid()}"
    readable = [*SYSTEM, own, *wanted.readable]
    files = kernel.restrict_files(readable, [wanted.scratch, "/dev/null"])
    filtered = kernel.filter_calls()
    return {
        "network": "namespace" if namespace else "filter" if filtered else "",
        "files": "landlock" if files else "",
        "processes": "filter" if filtered else "",
    }


def _limit(wanted: Confinement, namespace: bool) -> None:
    private = wanted.ram_bytes + BASE_BYTES
    _lower(resource.RLIMIT_DATA, private)
    # Address space also holds mapped libraries and threads' reserves, which cost no memory.
    _lower(resource.RLIMIT_AS, private + wanted.shared_bytes + 16 * 1024**3)
    _lower(resource.RLIMIT_CPU, wanted.cpu_s, wanted.cpu_s + 5)
    _lower(resource.RLIMIT_FSIZE, wanted.ram_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if namespace:  # there we are alone; outside it counts every process of the user
        _lower(resource.RLIMIT_NPROC, _THREADS)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")  # when the machine runs out of memory, this process goes first
    except OSError:
        return


def _lower(which: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, never above what is in force."""
    _, ceiling = resource.getrlimit(which)
    infinite = resource.RLIM_INFINITY
    hard = soft if hard is None else hard
    hard = hard if ceiling == infinite else min(hard, ceiling)
    resource.setrlimit(which, (min(soft, hard), hard))
