"""The script that runs a package in the sandbox: ``python child.py REQUEST MESSAGES REPLIES``.

All are file descriptors. REQUEST is sealed shared memory: a length, a JSON of what to do, then the
context as :mod:`ennead.sandbox.codec` writes it; arrays are mapped, not copied. MESSAGES is a pipe
for :mod:`ennead.sandbox.frames`, REPLIES the one for models' answers. The process gives up its
rights before it loads anything else.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

from ennead.sandbox import confine, frames, kernel

_TRACE_CHARACTERS: Final = 8000
_PROGRESS_SECONDS: Final = 0.1
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: What an attempt at it is called, by the interpreter's audit event.
_EVENTS: Final = {
    "socket.__new__": "network",
    "socket.getaddrinfo": "network",
    "subprocess.Popen": "process",
    "os.exec": "process",
    "os.fork": "process",
    "os.forkpty": "process",
    "os.posix_spawn": "process",
    "os.system": "process",
    "os.kill": "process",
    "os.mkdir": "write",
    "os.remove": "write",
    "os.rename": "write",
    "os.rmdir": "write",
    "os.chmod": "write",
    "os.link": "write",
    "os.symlink": "write",
    "os.truncate": "write",
}


def main(request: int, messages: int, replies: int) -> None:
    """Do what the request says; the last message is a result or an error."""
    memory = mmap.mmap(request, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    (length,) = struct.unpack_from("<Q", memory)
    task: dict[str, Any] = json.loads(memory[8 : 8 + length])
    kernel.die_with_parent(task["parent_pid"])
    enforced = confine.confine(
        confine.Confinement(
            [*_own_folders(), *task["readable"]],
            task["scratch"],
            task["ram_bytes"],
            len(memory),
            task["cpu_s"],
        )
    )
    frames.write(messages, frames.READY, json.dumps(enforced).encode())
    if task.get("probe"):
        return
    if task["required"] and not all(enforced.values()):
        return
    tried = _watch_attempts(task["scratch"])
    try:
        parts = _run(task, memoryview(memory), messages, replies)
    except BaseException as error:  # the boundary of the process: whatever it was is told
        said = {"kind": _kind(error, tried), "tried": tried, "text": _trace(error)}
        frames.write(messages, frames.ERROR, json.dumps(said).encode())
        return
    frames.write(messages, frames.RESULT, *parts)


def _own_folders() -> list[str]:
    """Of the interpreter; links on the floor of an environment lead elsewhere."""
    found = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    for path in filter(None, sys.path):
        found.append(path)
        if os.path.basename(path) == "floor":
            found += [os.path.realpath(entry.path) for entry in os.scandir(path)]
    return list(dict.fromkeys(found))


def _run(
    task: dict[str, Any], memory: memoryview, messages: int, replies: int
) -> list[bytes | memoryview]:
    """Call the package; returns the parts of the result message."""
    import dataclasses
    import functools
    import importlib

    from ennead.sandbox import codec

    head, body = task["head"], task["body"]
    expected = _named(task["context"])
    context: Any = codec.decode(
        expected, bytes(memory[head[0] : head[0] + head[1]]), memory[body[0] : body[0] + body[1]]
    )
    changes: dict[str, Any] = {"progress": _progress(messages)}
    if task["models"]:
        ask = _asker(messages, replies, context)
        changes["models"] = {name: functools.partial(ask, name) for name in task["models"]}
    context = dataclasses.replace(context, **changes)
    sys.path.extend(p for p in task["path"] if p not in sys.path)
    importlib.invalidate_caches()
    called = _named(task["target"])
    if task["method"]:
        called = getattr(called(), task["method"])
    return codec.encode(list(called(context))).parts()


def _named(name: str) -> Any:
    """The object of ``module:attribute``."""
    import importlib

    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _asker(messages: int, replies: int, context: Any) -> Callable[[str, Any], Any]:
    """Asks the platform what a model says of a volume; a volume it knows is named, not sent."""
    from ennead.contracts import ModelAnswer
    from ennead.sandbox import codec

    def ask(model: str, volume: Any) -> Any:
        known = [name for name, each in context.volumes.items() if each is volume]
        question = codec.encode([model, known[0] if known else "", None if known else volume])
        frames.write(messages, frames.ASK, *question.parts())
        _, body = frames.read(replies, {frames.ANSWER: 2**40}, float("inf"))
        answer: Any = codec.decode_message(ModelAnswer | str, body)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    return ask


def _progress(messages: int) -> Callable[[float, str], None]:
    last = (0.0, "")

    def report(fraction: float, text_key: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last[0] >= _PROGRESS_SECONDS or text_key != last[1]:
            last = (now, text_key)
            body = json.dumps([float(fraction), str(text_key)[:120]]).encode()
            frames.write(messages, frames.PROGRESS, body)

    return report


def _watch_attempts(scratch: str) -> list[str]:
    """Note what the code tries that it may not: the kernel refuses, this says what it was."""
    tried: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        kind = _EVENTS.get(event, "")
        if event == "open" and len(arguments) == 3:
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITES
            kind = "write" if writes and isinstance(path, (str, bytes)) else ""
        if kind == "write":
            path = arguments[0] if arguments else ""
            text = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
            if os.path.abspath(text).startswith(scratch + os.sep) or text == os.devnull:
                return
        if kind and len(tried) < 20:
            tried.append(kind)

    sys.addaudithook(hook)
    return tried


def _kind(error: BaseException, tried: list[str]) -> str:
    """What went wrong: memory, network, process, write, or an error of the package's own."""
    seen: BaseException | None = error
    for _ in range(20):
        if isinstance(seen, MemoryError):
            return "memory"
        if isinstance(seen, OSError) and tried:
            return tried[-1]
        if seen is None:
            break
        seen = seen.__cause__ or seen.__context__
    return "contract" if type(error).__name__ == "ContractError" else "error"


def _trace(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-30)
    return "".join(lines)[-_TRACE_CHARACTERS:]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
