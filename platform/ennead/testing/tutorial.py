"""Tutorials are tests: a page's commands are run in one shell, and what they say is compared.

In a page, a fenced block ``console`` holds commands after ``$`` (more lines of one after ``>``)
and the lines that must come, in order, somewhere in what it prints; ``…`` stands for anything::

    ```console
    $ ennead models list --home site
    bright … shadow …
    ```

A block after ``<!-- file: NAME -->`` is written to that file. A block after ``<!-- not run -->``,
and every other block, is for reading only.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_DIRECTIVE: Final = re.compile(r"<!--\s*(file:\s*(?P<file>\S+)|not run)\s*-->\s*\Z")
ANYTHING: Final = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """A command with the lines that must come, or (``file``) a file to write."""

    text: str
    expected: tuple[str, ...] = ()
    file: str = ""


def steps(page: str) -> Iterator[Step]:
    """The steps of a page, in order.

    Raises
    ------
    ValueError
        A console block does not begin with a command.
    """
    for block in _FENCE.finditer(page):
        language, body = block.group(1), block.group(2)
        directive = _DIRECTIVE.search(page[: block.start()].rstrip())
        if directive and directive.group("file"):
            yield Step(body, file=directive.group("file"))
        elif language == "console" and not directive:
            yield from _commands(body)


def _commands(body: str) -> Iterator[Step]:
    command: list[str] = []
    expected: list[str] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step("\n".join(command), tuple(expected))
            command, expected = [line[2:]], []
        elif not command:
            raise ValueError(f"a console block begins with '$ '; got {line!r}")
        elif line.startswith("> ") and not expected:
            command.append(line[2:])
        elif line.strip() and line.strip() != ANYTHING:
            expected.append(line.strip())
    if command:
        yield Step("\n".join(command), tuple(expected))


def first_absent(expected: tuple[str, ...], output: str) -> str | None:
    r"""The first expected line that does not come in its turn; None when all do.

    Examples
    --------
    >>> first_absent(("a … c", "d"), "a b c\nx\nd\n") is None
    True
    >>> first_absent(("d", "a"), "a\nd\n")
    'a'
    """
    lines = iter(line.strip() for line in output.splitlines())
    for wanted in expected:
        parts = (re.escape(part.strip()) for part in wanted.split(ANYTHING))
        pattern = re.compile(r"\s*.*?\s*".join(parts))
        if not any(pattern.fullmatch(line) for line in lines):
            return wanted
    return None


class Shell:
    """One bash in a folder; what commands set stays for the next ones.

    Parameters
    ----------
    environment : mapping
        Added to this process's own.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._mark = f"--{secrets.token_hex(8)}--"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, command: str, timeout_s: float) -> tuple[int, str]:
        """Exit status and everything that the command printed.

        Raises
        ------
        TimeoutError
            It did not end in time; what it printed so far is in the message.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(
            f"{command}\n__status=$?; echo; echo {self._mark} $__status\n".encode()
        )
        self._process.stdin.flush()
        output, until = b"", time.monotonic() + timeout_s
        mark = f"\n{self._mark} ".encode()
        while mark not in output or not output.endswith(b"\n"):
            output += self._read(until, command, output)
        said, _, status = output.rpartition(mark)
        return int(status), said.decode(errors="replace").removesuffix("\n")

    def close(self) -> None:
        """End the shell and everything that it left running."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, how)
                self._process.wait(timeout=20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, until: float, command: str, so_far: bytes) -> bytes:
        assert self._process.stdout is not None
        left = until - time.monotonic()
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, left))
        block = os.read(self._process.stdout.fileno(), 65536) if ready else b""
        if not block:
            said = so_far.decode(errors="replace")[-4000:]
            raise TimeoutError(f"$ {command}\ndid not end in time; it printed:\n{said}")
        return block


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """A shell that is ended with the block."""
    opened = Shell(folder, environment)
    try:
        yield opened
    finally:
        opened.close()


def follow(
    page: Path,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    replace: Mapping[str, str] | None = None,
    timeout_s: float = 180.0,
) -> int:
    """Do literally what a page says, in ``folder``; returns how many commands were run.

    Parameters
    ----------
    replace : mapping
        Words of the page that a test needs otherwise, such as port numbers.
    timeout_s : float
        For each command.

    Raises
    ------
    AssertionError
        A command failed, or did not print what the page says.
    """
    text = page.read_text(encoding="utf-8")
    for word, other in (replace or {}).items():
        text = text.replace(word, other)
    count = 0
    with shell(folder, environment or {}) as opened:
        for step in steps(text):
            if step.file:
                (folder / step.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / step.file).write_text(step.text, encoding="utf-8")
                continue
            status, output = opened.run(step.text, timeout_s)
            absent = first_absent(step.expected, output)
            if status or absent is not None:
                why = f"ended with {status}" if status else f"did not print {absent!r}"
                raise AssertionError(f"{page.name}: $ {step.text}\n{why}:\n{output[-6000:]}")
            count += 1
    return count
