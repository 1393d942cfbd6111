"""Why a sandboxed process ended without a result, from how it ended."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from typing import Final

from ennead.plugins.manifest import Runtime
from ennead_pipelines.sandbox.faults import Stopped

#: What a process may take to end once it has closed its pipe.
_LEAVE_SECONDS: Final = 2.0


def ended(process: subprocess.Popen[bytes], runtime: Runtime) -> Stopped:
    """The reason of a process whose pipe closed; one that goes on all the same is killed."""
    until = time.monotonic() + _LEAVE_SECONDS
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > until:
            process.kill()
            process.wait()
            return Stopped("garbled")
        time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    return judged(process.returncode, usage, runtime)


def judged(status: int, usage: resource.struct_rusage, runtime: Runtime) -> Stopped:
    """The reason, from exit status (negative: the signal) and what was used."""
    cpu_s = runtime.cpu * runtime.timeout_s
    if status == -signal.SIGXCPU or usage.ru_utime + usage.ru_stime >= cpu_s:
        return Stopped("processor", {"limit_s": round(cpu_s, 1)})
    if status == -signal.SIGXFSZ:
        return Stopped("scratch", {"limit_mib": runtime.ram_mib})
    if status == -signal.SIGKILL:  # not by us: the machine ran out of memory, or a person did it
        return Stopped("lost")
    if status < 0:
        return Stopped("crash", {"signal": signal.Signals(-status).name})
    return Stopped("crash", {"signal": f"exit status {status}"})
