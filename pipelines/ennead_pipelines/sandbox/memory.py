"""The request of a sandboxed run: sealed shared memory that the process maps.

Notes
-----
The volumes are copied once, out of Ray's object store. Handing over the store itself would save
that copy and show the package every other patient's images, since the store is one mapping.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from typing import Any, Final

from ennead.sandbox.codec import Encoded, padded, raw

_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def sealed_request(task: dict[str, Any], encoded: Encoded) -> int:
    """A file descriptor of sealed memory: length, task, context; the caller closes it."""
    # The places depend on the task's own length, which depends on them: leave room.
    start = padded(8 + len(json.dumps(task).encode()) + 256)
    body = start + padded(len(encoded.head))
    placed = {
        **task,
        "head": [start, len(encoded.head)],
        "body": [body, encoded.body_bytes],
    }
    said = json.dumps(placed).encode()
    descriptor = os.memfd_create("ennead-request", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, body + encoded.body_bytes)
        _write_at(descriptor, 0, struct.pack("<Q", len(said)) + said)
        _write_at(descriptor, start, encoded.head)
        at = body
        for array in encoded.arrays:
            _write_at(descriptor, at, raw(array))
            at += padded(array.nbytes)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write_at(descriptor: int, at: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written
