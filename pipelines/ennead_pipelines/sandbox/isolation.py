"""How well this machine isolates a package, asked of the kernel once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from ennead import sandbox
from ennead.plugins import DiscoveredPackage
from ennead.sandbox import codec, frames
from ennead.settings import Settings
from ennead_pipelines.sandbox.memory import sealed_request
from ennead_pipelines.sandbox.plan import is_foreign, plan_for
from ennead_pipelines.sandbox.scratch import scratch_folder

State = Literal["own", "off", "full", "reduced", "refused"]

SCRIPT: Final = Path(sandbox.__file__).with_name("child.py")
_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Isolation:
    """How a package runs here.

    Parameters
    ----------
    state : str
        ``own`` (ours, in the worker's process), ``off`` (foreign, trusted by the setting),
        ``full``, ``reduced`` (apart, with something missing) or ``refused`` (not run without it).
    missing : tuple of str
        Of ``network``, ``files``, ``processes``.
    """

    state: State
    missing: tuple[str, ...] = ()


def isolation_of(settings: Settings, package: DiscoveredPackage) -> Isolation:
    """How ``package`` runs on a machine like this one."""
    plan = plan_for(settings, package)
    if plan is None:
        return Isolation("off" if is_foreign(package) else "own")
    missing = tuple(sorted(name for name, how in enforced().items() if not how))
    if not missing:
        return Isolation("full")
    return Isolation("refused" if plan.mode == "required" else "reduced", missing)


@cache
def enforced() -> dict[str, str]:
    """How network, files and processes are kept from a package; "" where they are not."""
    with scratch_folder() as scratch:
        task = {
            "parent_pid": os.getpid(),
            "scratch": str(scratch),
            "readable": [],
            "ram_bytes": 2**28,
            "cpu_s": 30,
            "probe": True,
        }
        request = sealed_request(task, codec.encode(None))
        ours, theirs = os.pipe()
        command = [sys.executable, "-s", "-P", "-B", str(SCRIPT), str(request), str(theirs), "0"]
        try:
            process = subprocess.Popen(
                command,
                pass_fds=(request, theirs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin"},
                start_new_session=True,
            )
        finally:
            os.close(theirs)
            os.close(request)
        try:
            _, body = frames.read(ours, {frames.READY: 4096}, time.monotonic() + _SECONDS)
            found: dict[str, str] = json.loads(body)
        except (frames.Gone, frames.Late, frames.TooLong):
            found = {"network": "", "files": "", "processes": ""}
        finally:
            os.close(ours)
            process.kill()
            process.wait()
    return found
