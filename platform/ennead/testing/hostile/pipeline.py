"""Every way a package can try to do what it may not."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from ennead import codes
from ennead.codes import sct
from ennead.contracts import RunContext
from ennead.findings import Finding, Measurement, Refusal, RefusalCode, Result, Segment
from ennead.headers import text
from ennead.testing.sample.pipeline import volume_cm3

SERIES_DESCRIPTION: Final = "0008103E"


class HostilePipeline:
    """Does what the series' description names, then finds what is bright."""

    def run(self, context: RunContext) -> Iterator[Any]:
        """Reads ``ct``. Refuses with what it could learn, for the names that only look."""
        volume = context.volumes["ct"]
        how, _, rest = text(volume.attributes, SERIES_DESCRIPTION).partition(" ")
        if how in LOOKS:
            found = LOOKS[how](rest, context)
            yield Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing", {"found": str(found)})
            return
        if how in RESULTS:
            yield from RESULTS[how](context)
            return
        if how in DEEDS:
            DEEDS[how](rest)
        yield from bright(context)


def bright(context: RunContext) -> Iterator[Result]:
    """What is above 50 HU, with its volume."""
    volume = context.volumes["ct"]
    mask = volume.values > 50.0
    yield Segment(
        id="bright",
        label="Bright region",
        mask=mask,
        grid=volume.grid,
        series_uid=volume.series_uid,
        category=codes.ANATOMICAL_STRUCTURE,
        type=sct("39607008", "Lung"),
    )
    size = volume_cm3(mask, volume.grid)
    measurement = Measurement("volume", codes.VOLUME, size, codes.CUBIC_CENTIMETRE)
    yield Finding(
        id="bright-1",
        label="Bright region",
        finding=sct("39607008", "Lung"),
        category=codes.ANATOMICAL_STRUCTURE,
        series_uid=volume.series_uid,
        segment_ids=("bright",),
        measurements=(measurement,),
    )


def _dial(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host or "127.0.0.1", int(port or 9)), timeout=2).close()


def _dial_past_python(address: str) -> None:
    """System call by number: nothing of Python's own stands in the way."""
    del address
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0) < 0:
        raise OSError(ctypes.get_errno(), "socket")


def _eat(rest: str) -> None:
    del rest
    kept = []
    while True:
        kept.append(np.ones(2**21))  # 16 MiB


def _eat_shared(rest: str) -> None:
    del rest
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 2**24))
        kept[-1].write(b"x" * 2**24)
        time.sleep(0.02)


def _spin(rest: str) -> None:
    del rest
    while True:
        sum(range(10_000))


def _sleep(rest: str) -> None:
    del rest
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    while True:
        time.sleep(3600)


def _fork(rest: str) -> None:
    del rest
    if os.fork() == 0:
        time.sleep(3600)


def _start(rest: str) -> None:
    subprocess.run([rest or "/bin/true"], check=True)


def _kill(rest: str) -> None:
    os.kill(int(rest), signal.SIGKILL)


def _write(rest: str) -> None:
    Path(rest).write_text("was here", encoding="ascii")


def _change_mode(rest: str) -> None:
    Path(rest).chmod(0o777)


def _fill(rest: str) -> None:
    del rest
    for number in range(100):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(bytes(16 * 2**20))
        time.sleep(0.02 * (number > 12))


def _print(rest: str) -> None:
    del rest
    while True:
        print("x" * 65536, flush=True)


def _tidy(rest: str) -> None:
    del rest
    with tempfile.TemporaryFile() as file:
        file.write(b"scratch")
    print("looking around")


def _fail(rest: str) -> None:
    del rest
    raise RuntimeError("on purpose")


def _crash(rest: str) -> None:
    del rest
    ctypes.string_at(0)


DEEDS: Final[dict[str, Callable[[str], None]]] = {
    "dial": _dial,
    "dial-past-python": _dial_past_python,
    "eat": _eat,
    "eat-shared": _eat_shared,
    "spin": _spin,
    "sleep": _sleep,
    "fork": _fork,
    "start": _start,
    "kill": _kill,
    "write": _write,
    "mode": _change_mode,
    "fill": _fill,
    "print": _print,
    "tidy": _tidy,
    "fail": _fail,
    "segfault": _crash,
    "leave": lambda _: os._exit(0),
}


def _read(rest: str, context: RunContext) -> str:
    del context
    try:
        return Path(rest).read_text(encoding="utf-8", errors="replace")[:100]
    except OSError as error:
        return type(error).__name__


def _environment(rest: str, context: RunContext) -> str:
    del rest, context
    return ",".join(sorted(os.environ))


def _descriptors(rest: str, context: RunContext) -> str:
    del rest, context
    return ",".join(sorted(os.listdir("/proc/self/fd"), key=int))


def _change_volume(rest: str, context: RunContext) -> str:
    del rest
    values = context.volumes["ct"].values
    try:
        values.flags.writeable = True
        values[0, 0, 0] = 1.0
    except ValueError as error:
        return type(error).__name__
    return "changed"


def _modules(rest: str, context: RunContext) -> str:
    del context
    return str([name for name in rest.split(",") if name in sys.modules])


LOOKS: Final[dict[str, Callable[[str, RunContext], str]]] = {
    "read": _read,
    "environment": _environment,
    "descriptors": _descriptors,
    "volume": _change_volume,
    "modules": _modules,
}


def _too_much(context: RunContext) -> Iterator[Any]:
    (segment, _) = bright(context)
    while True:
        yield segment
        yield Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing", {"text": "x" * 90_000})


def _garbage(context: RunContext) -> Iterator[Any]:
    del context
    yield {"$": "Finding", "id": 7}


def _unreadable(context: RunContext) -> Iterator[Any]:
    del context
    yield object()


RESULTS: Final[dict[str, Callable[[RunContext], Iterator[Any]]]] = {
    "too-much": _too_much,
    "garbage": _garbage,
    "unreadable": _unreadable,
}
