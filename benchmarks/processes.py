"""CPU time of a server and its children, from /proc."""

from __future__ import annotations

import os
from pathlib import Path


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def tree(root: int) -> list[int]:
    """``root`` and its living descendants."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(_stat(int(entry.name))[1])
        except (OSError, ValueError):
            continue
    found, frontier = [root], {root}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found += sorted(frontier)
    return found


def children(root: int, word: str) -> list[int]:
    """Descendants whose command line holds ``word``."""
    found = []
    for pid in tree(root):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(part.startswith(word) for part in line):
            found.append(pid)
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, with children that ended."""
    ticks = 0
    for pid in tree(root):
        try:
            ticks += sum(int(v) for v in _stat(pid)[11:15])
        except (OSError, ValueError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")
