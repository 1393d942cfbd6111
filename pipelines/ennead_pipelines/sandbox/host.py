"""Starting a package in the sandbox, feeding it, watching it, and reading what it says.

Nothing that comes from the process is trusted: messages have limits, values are read by the type
hints of the contract, and the process is killed when it passes a limit or its time.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from ennead import sandbox as child_room
from ennead.contracts import ProgressSink
from ennead.errors import ContractError
from ennead.findings import Result
from ennead.plugins import Manifest
from ennead.plugins.manifest import Runtime
from ennead.sandbox import codec, frames
from ennead.sandbox.confine import BASE_BYTES
from ennead_pipelines.sandbox.faults import Stopped
from ennead_pipelines.sandbox.judge import ended
from ennead_pipelines.sandbox.memory import sealed_request
from ennead_pipelines.sandbox.models import Models
from ennead_pipelines.sandbox.plan import SandboxPlan
from ennead_pipelines.sandbox.scratch import scratch_folder, used_bytes
from ennead_pipelines.sandbox.watch import memory_bytes

log = structlog.get_logger(__name__)

#: What a package may print before it is stopped; the end of it goes to the log.
PRINT_BYTES: Final = 4 * 1024**2
_KEPT_BYTES: Final = 4096
_TICK_S: Final = 0.1
_MIB: Final = 1024**2
_RESULT_BASE_BYTES: Final = 16 * _MIB
_SCRIPT: Final = Path(child_room.__file__).with_name("child.py")
_SMALL: Final = {frames.READY: 4096, frames.PROGRESS: 4096, frames.ERROR: 128 * 1024}


def run_apart(
    plan: SandboxPlan, manifest: Manifest, target: str, context: Any, *, method: str = "run"
) -> tuple[Result, ...]:
    """Everything that ``target`` returns for ``context``, from a process of its own.

    Parameters
    ----------
    target : str
        ``module:class`` of the package, of which ``method`` is called with the context; or, with
        ``method`` "", ``module:function``.
    context : dataclass
        A contract with ``progress``, perhaps ``models``; its volumes are shared, not sent.

    Raises
    ------
    Stopped
        With the reason; the process is gone.
    """
    interpreter = plan.interpreter or sys.executable
    if not Path(interpreter).exists():
        raise Stopped("environment", {"path": interpreter})
    runtime = manifest.runtime
    models = dict(getattr(context, "models", None) or {})
    with scratch_folder() as scratch:
        plain = dataclasses.replace(context, models={}) if models else context
        encoded = codec.encode(plain)
        beside = _search_path(plan)
        regions = sum(rule.kind in ("segmentation", "map") for rule in manifest.output)
        limit = _RESULT_BASE_BYTES + (regions + 1) * 4 * _largest(encoded)
        task: dict[str, Any] = {
            "parent_pid": os.getpid(),
            "scratch": str(scratch),
            "readable": [*([str(plan.folder)] if plan.folder else []), *beside],
            "path": beside,
            "ram_bytes": runtime.ram_mib * _MIB,
            "cpu_s": max(1, math.ceil(runtime.cpu * runtime.timeout_s)),
            "required": plan.mode == "required",
            "models": sorted(models),
            "target": target,
            "method": method,
            "context": f"{type(context).__module__}:{type(context).__qualname__}",
        }
        request = sealed_request(task, encoded)
        try:
            run = _Run(plan, runtime, interpreter, scratch, request, limit)
        finally:
            os.close(request)
        try:
            return run.follow(context.progress, Models(models, context))
        finally:
            run.close()


class _Run:
    """One process in the sandbox."""

    def __init__(
        self,
        plan: SandboxPlan,
        runtime: Runtime,
        interpreter: str,
        scratch: Path,
        request: int,
        limit: int,
    ) -> None:
        self._plan, self._runtime, self._scratch = plan, runtime, scratch
        self._limits = {**_SMALL, frames.RESULT: limit, frames.ASK: limit}
        self._shared = os.fstat(request).st_size
        self._printed, self._tail = 0, b""
        self._messages, theirs = os.pipe()
        answers, self._replies = os.pipe()
        os.set_blocking(self._replies, False)
        passed = (request, theirs, answers)
        command = [interpreter, "-s", "-P", "-B", str(_SCRIPT), *map(str, passed)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(scratch, runtime.cpu),
                pass_fds=passed,
                start_new_session=True,
                cwd=scratch,
            )
        except OSError as error:
            os.close(self._messages)
            os.close(self._replies)
            raise Stopped("environment", {"path": interpreter}, str(error)) from error
        finally:
            os.close(theirs)
            os.close(answers)
        self._deadline = time.monotonic() + runtime.timeout_s
        self._looked_at = 0.0

    def follow(self, progress: ProgressSink, models: Models) -> tuple[Result, ...]:
        """Read until there is a result; the process is then asked for nothing more."""
        assert self._process.stdout is not None
        printed, messages = self._process.stdout.fileno(), self._messages
        open_outputs = [messages, printed]
        while True:
            ready = select.select(open_outputs, [], [], _TICK_S)[0]
            if printed in ready and not self._take_print(printed):
                open_outputs.remove(printed)
            if messages in ready:
                result = self._take_message(progress, models)
                if result is not None:
                    return result
            self._look()

    def close(self) -> None:
        """End the process, however it stands."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        os.close(self._messages)
        os.close(self._replies)
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._tail:
            log.info("a package printed", text=self._tail.decode(errors="replace"))

    def _take_print(self, descriptor: int) -> bool:
        data = os.read(descriptor, 65536)
        self._printed += len(data)
        self._tail = (self._tail + data)[-_KEPT_BYTES:]
        if self._printed > PRINT_BYTES:
            raise Stopped("output", {"limit_mib": PRINT_BYTES // _MIB})
        return bool(data)

    def _take_message(self, progress: ProgressSink, models: Models) -> tuple[Result, ...] | None:
        try:
            kind, body = frames.read(self._messages, self._limits, self._deadline)
            if kind == frames.READY:
                self._judge_isolation(json.loads(body))
            elif kind == frames.PROGRESS:
                fraction, key = json.loads(body)
                progress(min(max(float(fraction), 0.0), 1.0), str(key)[:120])
            elif kind == frames.ASK:
                answer = models.answer(body)
                frames.send(self._replies, answer, self._deadline)
            elif kind == frames.ERROR:
                said = json.loads(body)
                raise _stopped(said, self._runtime)
            else:
                return _results(body)
        except frames.Gone:
            raise ended(self._process, self._runtime) from None
        except frames.Late:
            self._late()
        except frames.TooLong as error:
            raise Stopped("result", {"limit_mib": self._limits[frames.RESULT] // _MIB}) from error
        except (ValueError, TypeError, KeyError) as error:
            raise Stopped("garbled", {}, str(error)) from error
        return None

    def _judge_isolation(self, enforced: dict[str, str]) -> None:
        missing = sorted(name for name, how in enforced.items() if not how)
        if not missing:
            return
        if self._plan.mode == "required":
            raise Stopped("unavailable", {"missing": ", ".join(missing)})
        log.warning("a package runs with reduced isolation", missing=missing)

    def _look(self) -> None:
        """Time, memory and scratch space of the process."""
        now = time.monotonic()
        if now > self._deadline:
            self._late()
        if now - self._looked_at < _TICK_S:
            return
        self._looked_at = now
        limit = self._runtime.ram_mib * _MIB
        if memory_bytes(self._process.pid, self._shared) > limit + BASE_BYTES:
            raise Stopped("memory", {"limit_mib": self._runtime.ram_mib})
        if used_bytes(self._scratch) > limit:
            raise Stopped("scratch", {"limit_mib": self._runtime.ram_mib})

    def _late(self) -> None:
        raise Stopped("timeout", {"timeout_s": self._runtime.timeout_s})


def _results(body: bytearray) -> tuple[Result, ...]:
    try:
        found: tuple[Result, ...] = codec.decode_message(tuple[Result, ...], body)
    except ContractError as error:
        raise Stopped("garbled", {}, error.message) from error
    return found


def _stopped(said: dict[str, Any], runtime: Runtime) -> Stopped:
    kind = str(said["kind"])
    values: dict[str, str | int | float] = {}
    if kind == "memory":
        values["limit_mib"] = runtime.ram_mib
    return Stopped(kind, values, str(said["text"]))


def _largest(encoded: codec.Encoded) -> int:
    """Voxels of the largest array, whatever its element type."""
    return max((each.size for each in encoded.arrays), default=0)


def _search_path(plan: SandboxPlan) -> list[str]:
    """Where the package lies beside its libraries, when Ennead's interpreter runs it."""
    if plan.interpreter or plan.folder is None:
        return []
    beside, hidden = plan.folder.parent.resolve(), plan.hidden.resolve()
    return [] if beside == hidden or beside in hidden.parents else [str(beside)]


def _environment(scratch: Path, cpu: float) -> dict[str, str]:
    """Nothing of ours: no settings, no tokens."""
    threads = str(max(1, math.ceil(cpu)))
    names: Sequence[str] = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    )
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "MPLCONFIGDIR": str(scratch),
        "PYTHONHASHSEED": "0",
        "MALLOC_ARENA_MAX": "2",
        **dict.fromkeys(names, threads),
    }
