"""Messages from the sandbox: one letter, a length, a body. The reader trusts none of it."""

from __future__ import annotations

import math
import os
import select
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Final

#: How it is confined (first of all) · progress · a question to a model · result · error.
READY, PROGRESS, ASK, RESULT, ERROR = b"i", b"p", b"m", b"r", b"e"
#: The other way: a model's answer.
ANSWER: Final = b"a"
_HEAD: Final = struct.Struct("<cQ")


class Gone(Exception):
    """The other side has closed the pipe."""


class TooLong(Exception):
    """A message is longer than its kind may be, or of no known kind."""


class Late(Exception):
    """Nothing came before the deadline."""


def write(descriptor: int, kind: bytes, *parts: bytes | memoryview) -> None:
    """Send one message."""
    length = sum(len(part) for part in parts)
    for part in (_HEAD.pack(kind, length), *parts):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def send(descriptor: int, parts: Sequence[bytes | memoryview], deadline: float) -> None:
    """Send an answer on a pipe that does not block, to a process that may not read it.

    Raises
    ------
    Gone, Late
    """
    length = sum(len(part) for part in parts)
    for part in (_HEAD.pack(ANSWER, length), *parts):
        view = memoryview(part)
        while view:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([], [descriptor], [], left)[1]:
                raise Late
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise Gone from error


def read(descriptor: int, limits: Mapping[bytes, int], deadline: float) -> tuple[bytes, bytearray]:
    """The next message, as its kind and body.

    Parameters
    ----------
    limits : mapping
        Longest body of each kind, in bytes.
    deadline : float
        Of ``time.monotonic()``.

    Raises
    ------
    Gone, TooLong, Late
    """
    kind, length = _HEAD.unpack(_exactly(descriptor, _HEAD.size, deadline))
    if length > limits.get(kind, -1):
        raise TooLong(f"{kind!r} of {length} bytes")
    return kind, _exactly(descriptor, length, deadline)


def _exactly(descriptor: int, length: int, deadline: float) -> bytearray:
    buffer = bytearray(length)
    view, filled = memoryview(buffer), 0
    while filled < length:
        left = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], left)[0]:
            raise Late
        got = os.readv(descriptor, [view[filled:]])
        if got == 0:
            raise Gone
        filled += got
    return buffer
