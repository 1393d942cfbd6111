"""The store ``<home>/weights``: one read-only file for each SHA-256.

==========================  =====================================================================
``<sha256>``                verified weights
``<sha256>.part``           a fetch that has not ended; the next attempt goes on from here
``<sha256>.rejected``       came in its place and is something else; never used, yours to look at
``unpacked/<sha256>/``      a zip archive's content
==========================  =====================================================================
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from ennead.errors import OutOfResources, WeightsDigestMismatch, WeightsMissing
from ennead_models.manifest import ModelManifest, Weights
from ennead_models.weights.archive import unpack

BLOCK: Final = 1024 * 1024


class WeightsProgress(Protocol):
    """Told how far it is."""

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        """``done_bytes`` of ``total_bytes`` are here."""
        ...


def silent(done_bytes: int, total_bytes: int) -> None:
    """Progress that nobody watches."""
    del done_bytes, total_bytes


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class WeightsStore:
    """Weights by SHA-256 under one directory.

    Parameters
    ----------
    root : Path
        ``settings.weights_dir``; made when first written.
    limit_bytes : int
        Largest file, and most bytes of one unpacked archive.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root
        self.limit_bytes = limit_bytes

    def path(self, sha256: str) -> Path:
        """Where weights of that hash lie, or would lie."""
        return self.root / sha256

    def has(self, sha256: str) -> bool:
        """Whether they are here; everything under its final name was verified once."""
        return self.path(sha256).is_file()

    def require(self, manifest: ModelManifest) -> Path:
        """The weights of a model.

        Raises
        ------
        WeightsMissing
            They are not here; the message says which command brings them.
        """
        path = self.path(manifest.weights.sha256)
        if not path.is_file():
            raise WeightsMissing(
                f"The weights of {manifest.id} {manifest.version} are not here (SHA-256 "
                f"{manifest.weights.sha256}). Run: ennead models fetch {manifest.id} (--from FILE "
                "where the file is on this machine)."
            )
        return path

    def verify(self, manifest: ModelManifest) -> Path:
        """The weights of a model, hashed anew.

        Raises
        ------
        WeightsMissing, WeightsDigestMismatch
            Absent, or changed on the disk.
        """
        path = self.require(manifest)
        got = sha256_of(path)
        if got != manifest.weights.sha256:
            rejected = self.reject(path, manifest.weights.sha256)
            raise WeightsDigestMismatch(
                f"The stored weights of {manifest.id} {manifest.version} have changed on the "
                f"disk: expected SHA-256 {manifest.weights.sha256}, got {got}. They were moved to "
                f"{rejected}; check the disk, then run: ennead models fetch {manifest.id}."
            )
        return path

    def unpacked(self, sha256: str) -> Path:
        """The content of stored weights that are a zip archive, unpacked once.

        Raises
        ------
        WeightsUnsafe
            It is no zip archive, leaves its folder, or is larger than the limit.
        """
        target = self.root / "unpacked" / sha256
        if not target.is_dir():
            with self.lock(sha256), _disk():
                if not target.is_dir():
                    unpack(self.path(sha256), target, self.limit_bytes)
        return target

    def add(self, source: Path, weights: Weights, progress: WeightsProgress = silent) -> Path:
        """Copy a file of this machine into the store, checking size and hash on the way.

        Raises
        ------
        WeightsDigestMismatch
            It is not what ``weights`` pins; the source is left as it is and nothing is stored.
        """
        if self.has(weights.sha256):
            return self.path(weights.sha256)
        size = source.stat().st_size
        if size != weights.size_bytes:
            raise WeightsDigestMismatch(
                f"{source} has {size} bytes; the model pins {weights.size_bytes} (SHA-256 "
                f"{weights.sha256}). It is another file, or incomplete: get the right one."
            )
        with self.lock(weights.sha256), _disk():
            part = self.root / f"{weights.sha256}.copy"
            digest, done = hashlib.sha256(), 0
            with source.open("rb") as reader, part.open("wb") as writer:
                while block := reader.read(BLOCK):
                    writer.write(block)
                    digest.update(block)
                    done += len(block)
                    progress(done, size)
                writer.flush()
                os.fsync(writer.fileno())
            if digest.hexdigest() != weights.sha256:
                part.unlink()
                raise WeightsDigestMismatch(
                    f"{source} is not the file that the model pins: expected SHA-256 "
                    f"{weights.sha256}, got {digest.hexdigest()}. Get the right file; if the "
                    "publisher changed it, that is a new version of the model."
                )
            return self.accept(part, weights.sha256)

    def accept(self, part: Path, sha256: str) -> Path:
        """Give a verified file its final name, durably and read-only."""
        part.chmod(0o444)
        final = self.path(sha256)
        part.rename(final)
        _sync_directory(self.root)
        return final

    def reject(self, part: Path, sha256: str) -> Path:
        """Put a file aside that came under a hash it does not have."""
        rejected = self.root / f"{sha256}.rejected"
        part.rename(rejected)
        return rejected

    def part(self, sha256: str) -> Path:
        """Where an unfinished fetch lies."""
        return self.root / f"{sha256}.part"

    @contextmanager
    def lock(self, sha256: str) -> Iterator[None]:
        """One writer of a hash at a time, also among processes."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.root / f".{sha256}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise OutOfResources(
                f"The weights cannot be written: {error.strerror}. Free some space, then repeat "
                "the command; what has come so far is kept."
            ) from error
        raise


def _sync_directory(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
