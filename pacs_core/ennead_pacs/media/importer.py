"""Everything below a path into the archive, through the one ingest."""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from ennead.errors import Conflict, EnneadError, OutOfResources
from ennead.security import Principal
from ennead_pacs.ingest import Ingest
from ennead_pacs.media.dicomdir import is_dicomdir, outside_records
from ennead_pacs.media.sources import DICM_AT, Candidate, candidates

_CHUNK: Final = 1024 * 1024
_THREADS: Final = 4
_WAITING: Final = 32

STORED: Final = "stored"
ALREADY_THERE: Final = "already_there"
REFUSED: Final = "refused"
NOT_DICOM: Final = "not_dicom"
FAILED: Final = "failed"
OUTCOMES: Final = (STORED, ALREADY_THERE, NOT_DICOM, REFUSED, FAILED)


@dataclass(frozen=True, slots=True)
class Entry:
    """How one candidate went; ``reason`` is a text key or an error code, ``detail`` a sentence."""

    name: str
    outcome: str
    reason: str = ""
    detail: str = ""
    study_uid: str = ""


@dataclass(slots=True)
class Report:
    """A whole import. Stored objects are counted; everything else is listed."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    studies: Counter[str] = field(default_factory=Counter)
    listed: list[Entry] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0; 1 when nothing could be imported; 2 when reading or storing failed."""
        if self.counts[FAILED]:
            return 2
        return 0 if self.counts[STORED] + self.counts[ALREADY_THERE] else 1

    def add(self, entry: Entry) -> None:
        """Count one entry."""
        self.counts[entry.outcome] += 1
        if entry.outcome == STORED:
            self.studies[entry.study_uid] += 1
        if entry.outcome in (REFUSED, FAILED, NOT_DICOM):
            self.reasons[entry.reason] += 1
            self.listed.append(entry)

    def as_json(self) -> dict[str, Any]:
        """For ``--report``."""
        return {
            "counts": {k: self.counts[k] for k in OUTCOMES},
            "reasons": dict(sorted(self.reasons.items())),
            "studies": dict(sorted(self.studies.items())),
            "files": [
                {
                    "name": shown(e.name),
                    "outcome": e.outcome,
                    "reason": e.reason,
                    "detail": e.detail,
                }
                for e in self.listed
            ],
        }


def import_tree(
    ingest: Ingest,
    path: Path,
    principal: Principal,
    progress: Callable[[Entry], None] = lambda _entry: None,
) -> Report:
    """Store every DICOM object below ``path`` (folder, zip file or one object).

    Several files are on their way at once, so that their commits share one sync. What fails for
    want of resources stops the import: the rest would fail as well.
    """
    report = Report()
    lock = threading.Lock()
    stop = threading.Event()

    def one(candidate: Candidate) -> None:
        try:
            stopped = [Entry(candidate.name, FAILED, "stopped")]
            for entry in stopped if stop.is_set() else _take(ingest, candidate, principal):
                if entry.reason == OutOfResources.code:
                    stop.set()
                with lock:
                    report.add(entry)
                    progress(entry)
        finally:
            candidate.release()

    running: set[Future[None]] = set()
    with (
        ThreadPoolExecutor(_THREADS, thread_name_prefix="import") as pool,
        closing(candidates(path)) as found,
    ):
        for candidate in found:
            if len(running) >= _WAITING:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
            running.add(pool.submit(one, candidate))
            if stop.is_set():
                break
        for future in running:
            future.result()
    return report


def _take(ingest: Ingest, candidate: Candidate, principal: Principal) -> Iterator[Entry]:
    name = candidate.name
    if candidate.opener is None:
        yield Entry(name, REFUSED, candidate.reason)
        return
    try:
        with candidate.opener() as file:
            start = _read(file, _CHUNK)
            if start[DICM_AT : DICM_AT + 4] != b"DICM":
                yield Entry(name, NOT_DICOM, "not_dicom")
            elif is_dicomdir(start):
                yield Entry(name, NOT_DICOM, "dicomdir")
                for record in outside_records(start + file.read(16 * _CHUNK)):
                    yield Entry(f"{name}:{record}", REFUSED, "outside_disc")
            else:
                yield _store(ingest, name, start, file, principal)
    except EnneadError as error:
        yield _refused(name, error)
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        yield Entry(name, FAILED, "unreadable", type(error).__name__)


def _store(ingest: Ingest, name: str, start: bytes, file: IO[bytes], principal: Principal) -> Entry:
    writer = ingest.begin(source=f"import:{principal.name}"[:200], principal=principal)
    try:
        chunk = start
        while chunk:
            writer.write(chunk)
            chunk = file.read(_CHUNK)
        outcome = writer.commit()
    except EnneadError as error:
        return _refused(name, error)
    finally:
        writer.abort()
    kind = STORED if outcome.stored else ALREADY_THERE
    return Entry(name, kind, study_uid=outcome.study_uid)


def _refused(name: str, error: EnneadError) -> Entry:
    kind = FAILED if isinstance(error, OutOfResources) else REFUSED
    reason = "conflict" if isinstance(error, Conflict) else error.code
    return Entry(name, kind, reason, error.message)


def _read(file: IO[bytes], length: int) -> bytes:
    """Up to ``length`` bytes; raw files and zip entries may give less at a time."""
    data = bytearray()
    while len(data) < length:
        chunk = file.read(length - len(data))
        if not chunk:
            break
        data += chunk
    return bytes(data)


def shown(name: str) -> str:
    """A file name that cannot disturb a terminal or a log."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)[:300]
