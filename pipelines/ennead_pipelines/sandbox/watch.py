"""Memory of another process, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path


def memory_bytes(pid: int, given_bytes: int) -> int:
    """Resident memory that is no file's, private and shared; 0 when the process is gone.

    Parameters
    ----------
    given_bytes : int
        Shared memory that it was given (the volumes), which does not count.
    """
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return _kib(text, "RssAnon:") * 1024 + max(0, _kib(text, "RssShmem:") * 1024 - given_bytes)


def _kib(status: str, name: str) -> int:
    _, found, rest = status.partition(name)
    return int(rest.split()[0]) if found else 0
