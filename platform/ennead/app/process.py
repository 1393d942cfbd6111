"""One supervised process as the supervisor sees it: start, listen, restart with back-off, end."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from ennead.app.home import HOME_MARK
from ennead.app.parts import Part, PartState
from ennead.contracts import ProcessSpec
from ennead.settings import Settings
from ennead.telemetry import METRICS_VARIABLE

#: Failures in a row after which a part is reported as looping.
CRASH_LOOP_AFTER: Final = 5
_LONGEST_BACKOFF_S: Final = 30.0
#: Serving for this long forgives earlier failures.
_HEALTHY_S: Final = 30.0
#: A process silent for this long is killed and started again.
_HUNG_S: Final = 120.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SupervisedProcess:
    """A copy of a :class:`ProcessSpec`; :meth:`tick` moves it along."""

    spec: ProcessSpec
    copy: int
    settings: Settings
    arguments: dict[str, Any] = field(default_factory=dict)
    inherited_fds: tuple[int, ...] = ()
    state: PartState = PartState.STARTING
    detail: str = ""
    restarts: int = 0
    failures: int = 0
    since: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    beat_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    _process: subprocess.Popen[bytes] | None = None
    _status_fd: int = -1
    _heard: float = 0.0
    _ready_at: float = 0.0
    _start_at: float = 0.0
    _pending: bytes = b""

    @property
    def name(self) -> str:
        """As in logs: ``dimse`` or ``web-1``."""
        return self.spec.name if self.spec.count == 1 else f"{self.spec.name}-{self.copy}"

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def part(self) -> Part:
        """What the table of parts says of it."""
        pid = self._process.pid if self._process else 0
        return Part(
            self.spec.name,
            self.copy,
            self.state,
            self.detail,
            pid,
            self.restarts,
            self.since,
            self.beat_at,
        )

    def tick(self) -> bool:
        """Listen, notice an end, start again when it is time; whether the state changed."""
        before = (self.state, self.detail)
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self.start()
        else:
            self._listen()
            if _has_ended(self._process):
                self._ended(self._bury())
            elif time.monotonic() - self._heard > _HUNG_S:
                log.error("process silent", process=self.name, silent_s=_HUNG_S)
                self.kill()
        return (self.state, self.detail) != before

    def start(self) -> None:
        """Start the process."""
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ennead.app.child", self.name],  # the name is for ps
            stdin=subprocess.PIPE,
            pass_fds=(write_fd, *self.inherited_fds),
            env={
                **os.environ,
                HOME_MARK: str(self.settings.home),
                METRICS_VARIABLE: str(self.settings.home / "run" / "metrics"),
            },
            start_new_session=True,  # a Ctrl-C at the terminal reaches the supervisor alone
        )
        os.close(write_fd)
        self._status_fd, self._heard, self._pending = read_fd, time.monotonic(), b""
        task = {
            "name": self.name,
            "target": self.spec.target,
            "arguments": self.arguments,
            "status_fd": write_fd,
            "parent_pid": os.getpid(),
            "settings": self.settings.model_dump(mode="json"),
        }
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(task).encode())
            self._process.stdin.close()
        except BrokenPipeError:  # it died at once; the next tick sees that
            return

    def terminate(self) -> None:
        """Ask the process to drain."""
        self._set(PartState.STOPPING)
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and everything it started, now."""
        if self._process is not None:
            _kill_group(self._process.pid)

    def reap(self) -> bool:
        """While stopping: whether the process is gone."""
        if self._process is not None and _has_ended(self._process):
            self._bury()
        return self._process is None

    def _set(self, state: PartState, detail: str = "") -> None:
        if state != self.state:
            self.since = dt.datetime.now(dt.UTC)
        self.state, self.detail = state, detail

    def _listen(self) -> None:
        try:
            data = os.read(self._status_fd, 65536)
        except BlockingIOError:
            data = b""
        if data:
            self._heard, self.beat_at = time.monotonic(), dt.datetime.now(dt.UTC)
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "ready":
                self._ready_at = time.monotonic()
                self._set(PartState.READY)
                log.info("process ready", process=self.name)
            elif word == "failed":
                self.detail = rest
        healthy = self.state is PartState.READY and time.monotonic() - self._ready_at > _HEALTHY_S
        self.failures = 0 if healthy else self.failures

    def _ended(self, status: int) -> None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        self.failures += 1
        self.restarts += 1
        wait_s = min(0.25 * 2**self.failures, _LONGEST_BACKOFF_S)
        self._start_at = time.monotonic() + wait_s
        looping = self.failures >= CRASH_LOOP_AFTER
        reason = f"{self.detail}, {how}" if self.detail else how
        self._set(PartState.CRASH_LOOP if looping else PartState.RESTARTING, reason)
        write = log.error if looping else log.warning
        write(
            "process ended",
            process=self.name,
            reason=reason,
            failures=self.failures,
            restart_in_s=wait_s,
        )

    def _bury(self) -> int:
        assert self._process is not None
        self._listen()
        _kill_group(self._process.pid)  # what it started and left behind
        status = self._process.wait()
        os.close(self._status_fd)
        self._process = None
        return status


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Without reaping: until then its process group's number cannot be given to others."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, options) is not None


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
