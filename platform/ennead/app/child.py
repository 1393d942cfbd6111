"""The start of every supervised process: ``python -m ennead.app.child``.

The supervisor writes one JSON document to standard input (settings may hold passwords, so they are
never arguments or environment) and reads lines from a pipe: ``ready`` once, ``beat`` every two
seconds, ``failed …`` with the kind of an exception.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

BEAT_S: Final = 2.0
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent is gone (Linux).

    Processes that a supervised process starts itself call this too, with ``os.getppid()`` as it
    was before they were started, so that nothing outlives a killed supervisor.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # gone between its fork and our call
            os._exit(1)


def main() -> int:
    """Run one target until it returns; 0 only after it was told to stop."""
    # stopped through the supervisor, not by the terminal
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task: dict[str, Any] = json.load(sys.stdin)
    die_with_parent(task["parent_pid"])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())

    from ennead import telemetry
    from ennead.settings import Settings

    settings = Settings(**task["settings"])
    telemetry.configure(settings, task["name"])
    say = _speaker(task["status_fd"])
    threading.Thread(target=_beat, args=(say,), daemon=True, name="heartbeat").start()
    import structlog

    log = structlog.get_logger(__name__)
    try:
        module, _, attribute = task["target"].partition(":")
        function = getattr(importlib.import_module(module), attribute)
        function(settings, lambda: say("ready"), stop, **task["arguments"])
    except Exception as error:  # the boundary of the process: say why, then end
        log.exception("process failed", target=task["target"])
        say(f"failed {type(error).__name__}")
        return 1
    if not stop.is_set():
        say("failed ended on its own")
        return 1
    return 0


def _speaker(status_fd: int) -> Callable[[str], None]:
    def say(line: str) -> None:
        # one write below PIPE_BUF is atomic; the supervisor may be gone
        try:
            os.write(status_fd, line.replace("\n", " ").encode()[:400] + b"\n")
        except OSError:
            return

    return say


def _beat(say: Callable[[str], None]) -> None:
    pause = threading.Event()
    while True:
        say("beat")
        pause.wait(BEAT_S)


if __name__ == "__main__":
    sys.exit(main())
