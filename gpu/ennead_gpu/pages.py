"""Freed memory stays with the process while a network runs on processors.

A network allocates and frees the same large blocks for every tile. The C library hands them back
to the kernel each time, and the kernel clears every page anew: a quarter of the run's time in
page faults. Here the blocks are kept for the length of a run and handed back at its end.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

#: Parameters of ``mallopt`` (mallopt(3)).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEEP_BYTES: Final = 2**31 - 1
#: Afterwards: what glibc itself arrives at in a process that has used large blocks.
_USUAL_MMAP_BYTES, _USUAL_TRIM_BYTES, _USUAL_MMAP_MAX = 32 * 2**20, 64 * 2**20, 65536

_lock = threading.Lock()
_inside = 0


@contextmanager
def kept_pages() -> Iterator[None]:
    """Keep freed memory for the block; threads may overlap, the last one hands it back.

    Does nothing where the C library is not glibc. What is allocated stays the same; only when
    freed pages go back changes.
    """
    library = _glibc()
    if library is None:
        yield
        return
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            library.mallopt(_MMAP_MAX, 0)
            library.mallopt(_TRIM_THRESHOLD, _KEEP_BYTES)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                library.mallopt(_MMAP_MAX, _USUAL_MMAP_MAX)
                library.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP_BYTES)
                library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM_BYTES)
                library.malloc_trim(0)


def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
