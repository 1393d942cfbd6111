"""Slot files: names that are durable before an object needs one.

A file survives a power cut only when its directory entry does, and a directory sync per object is
dear. Slots are created in batches and their directory is synced once; an object is then written
into a slot, and syncing the file is enough. A locked journal names the slots of each process, so
that the startup sweep looks at those and never walks the archive.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BATCH: Final = 32
_ROTATE: Final = 4096
# One of 4,096 folders at random, kept for a while: making one costs two syncs of its own.
_BATCHES_PER_FOLDER: Final = 16
JOURNALS: Final = ".slots"


class Journal:
    """The slots one process opened, on disk; held locked while the process lives."""

    def __init__(self, root: Path) -> None:
        folder = root / JOURNALS
        _make_directory(folder)
        self.path = folder / f"{secrets.token_hex(8)}.txt"
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        _sync_directory(folder)
        self.named = 0
        self.undecided = 0
        self.retired = False

    def name(self, locations: list[str]) -> None:
        """Write the names down, durably, before the files exist."""
        os.write(self._fd, "".join(f"{location}\n" for location in locations).encode())
        os.fdatasync(self._fd)
        self.named += len(locations)
        self.undecided += len(locations)

    def decided(self, count: int = 1) -> None:
        """So many slots are an indexed object or gone; an empty retired journal is removed."""
        self.undecided -= count
        if self.retired and self.undecided <= 0:
            self.close(remove=True)

    def close(self, *, remove: bool) -> None:
        """Unlock; with ``remove``, nothing is left for the sweep to look at."""
        if remove:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Slot:
    """An empty file, open for writing, whose name is durable once the pool hands it out."""

    __slots__ = ("fd", "journal", "location", "path")

    def __init__(self, root: Path, location: str, journal: Journal) -> None:
        self.location = location
        self.path = root / location
        self.journal = journal
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.fd = os.open(self.path, flags, 0o640)


class SlotPool:
    """Hands out slots; safe to use from many threads of one process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._free: list[Slot] = []
        self._journal: Journal | None = None
        self._folder = ""
        self._filled = 0
        _make_directory(root)

    def take(self) -> Slot:
        """An empty slot, open for writing; raises OSError when none can be made."""
        with self._lock:
            if not self._free:
                self._fill()
            return self._free.pop()

    def give_back(self, slot: Slot) -> None:
        """The object was not stored: empty the slot and keep it for the next one."""
        os.ftruncate(slot.fd, 0)
        os.lseek(slot.fd, 0, os.SEEK_SET)
        with self._lock:
            if len(self._free) < BATCH:
                self._free.append(slot)
                return
        slot.path.unlink(missing_ok=True)  # a burst is over
        self.used(slot)

    def used(self, slot: Slot) -> None:
        """The index holds the slot now, or the file was moved away."""
        os.close(slot.fd)
        with self._lock:
            slot.journal.decided()

    def leave(self, slot: Slot) -> None:
        """Whether the index holds the slot is unknown: the next startup sweep decides."""
        os.close(slot.fd)

    def close(self) -> None:
        """Remove free slots, and the journal when nothing is undecided."""
        with self._lock:
            for slot in self._free:
                os.close(slot.fd)
                with contextlib.suppress(FileNotFoundError):
                    slot.path.unlink()
                slot.journal.undecided -= 1
            self._free.clear()
            if self._journal is not None:
                self._journal.close(remove=self._journal.undecided <= 0)
                self._journal = None

    def _fill(self) -> None:
        if self._journal is None or self._journal.named >= _ROTATE:
            if self._journal is not None:
                self._journal.retired = True
                self._journal.decided(0)
            self._journal = Journal(self.root)
        if self._filled % _BATCHES_PER_FOLDER == 0:
            self._folder = secrets.token_hex(2)[:3]
            _make_directory(self.root / self._folder)
        self._filled += 1
        folder = self._folder
        directory = self.root / folder
        locations = [f"{folder}/{secrets.token_hex(16)}.dcm" for _ in range(BATCH)]
        self._journal.name(locations)
        slots = [Slot(self.root, location, self._journal) for location in locations]
        _sync_directory(directory)
        self._free += slots


def abandoned(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Journals whose process is gone, with the slots they name; removed after each step."""
    folder = root / JOURNALS
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.txt")):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        try:
            yield path, path.read_text().split()
            path.unlink()
        finally:
            os.close(fd)


def _make_directory(path: Path) -> None:
    if path.is_dir():
        return
    path.mkdir(mode=0o750, parents=True, exist_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
