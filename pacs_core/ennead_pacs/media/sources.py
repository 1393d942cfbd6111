"""What a folder or a zip file holds, one candidate after another, nothing followed outside.

A candidate is either something to read or a refusal with its reason; reasons are keys of the text
catalogue (``media.<reason>``).
"""

from __future__ import annotations

import os
import stat
import threading
import zipfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from ennead_pacs.media.zip_limits import check_archive, check_entry

DICM_AT: Final = 128


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file or zip entry.

    Parameters
    ----------
    name : str
        Relative to what was asked for; ``archive.zip!entry`` inside a zip file. As written by
        whoever made the medium: shown escaped, never used as a path.
    opener : callable or None
        Opens it for reading; None when it is refused.
    reason : str
        Why it is refused, or empty.
    release : callable
        To be called once when the candidate is done with, read or not.
    """

    name: str
    opener: Callable[[], IO[bytes]] | None
    reason: str = ""
    release: Callable[[], None] = lambda: None


def candidates(path: Path) -> Generator[Candidate, None, None]:
    """Every file below ``path`` (a folder, a zip file or one object), in the order of names.

    Symbolic links and special files are refused; zip files are opened, but not zip files in them.
    """
    if path.is_dir():
        yield from _folder(path, "")
    else:
        yield from _file(path, path.name)


def _folder(folder: Path, prefix: str) -> Iterator[Candidate]:
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError:
        yield Candidate(prefix or str(folder), None, "unreadable")
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError:
            yield Candidate(name, None, "unreadable")
            continue
        if stat.S_ISLNK(mode):
            yield Candidate(name, None, "symbolic_link")
        elif stat.S_ISDIR(mode):
            yield from _folder(Path(entry.path), name + "/")
        elif stat.S_ISREG(mode):
            yield from _file(Path(entry.path), name)
        else:
            yield Candidate(name, None, "special_file")


def _file(path: Path, name: str) -> Iterator[Candidate]:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        yield Candidate(name, None, "unreadable")
        return
    if start == b"PK\x03\x04" or (start == b"PK\x05\x06"):
        yield from _zip(path, name)
    else:
        yield Candidate(name, partial(_open_plain, path))


def _open_plain(path: Path) -> IO[bytes]:
    """Open a file that was regular when it was listed, even if a link took its place since."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb", buffering=0)


def _zip(path: Path, name: str) -> Iterator[Candidate]:
    refused = check_archive(path)
    if refused:
        yield Candidate(name, None, refused)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        yield Candidate(name, None, "zip_damaged")
        return
    shared = _Shared(archive)
    try:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            reason = check_entry(entry)
            if reason:
                yield Candidate(f"{name}!{entry.filename}", None, reason)
            else:
                opener = partial(archive.open, entry)
                yield Candidate(f"{name}!{entry.filename}", opener, release=shared.held())
    finally:
        shared.release()


class _Shared:
    """A zip file that closes when the walk and every candidate of it are done with it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._users = 1
        self._lock = threading.Lock()

    def held(self) -> Callable[[], None]:
        """One more user; gives what it calls when done."""
        with self._lock:
            self._users += 1
        return self.release

    def release(self) -> None:
        """One user fewer."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._archive.close()
