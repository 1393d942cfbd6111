"""What becomes of the parts of a STOW-RS request (PS3.18 §10.5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from ennead.contracts import StoreOutcome
from ennead.errors import (
    EnneadError,
    InputError,
    OutOfResources,
    UnsupportedMedia,
    UnusableObject,
)
from ennead.security import Principal
from ennead_pacs.dicomweb.store_answer import Failed, Outcome, Stored, reason_of
from ennead_pacs.ingest import Ingest, Writer
from ennead_pacs.prepare.peek import Peeked, peek

#: Enough of an object to find its UIDs.
_PEEK: Final = 128 * 1024
#: Parts of one request that are committed at once.
_COMMITS: Final = 4


class PartsToIngest:
    """Streams each part into the archive; a :class:`PartReceiver`.

    While one part is being written, a few before it are being committed, so that they share a
    sync. One part's refusal is noted and the others go on; only what ends the whole request is
    raised.
    """

    def __init__(self, ingest: Ingest, principal: Principal, study_uid: str = "") -> None:
        self.outcome = Outcome()
        self._ingest, self._principal, self._study_uid = ingest, principal, study_uid
        self._writer: Writer | None = None
        self._error: EnneadError | None = None
        self._first = bytearray()
        self._threads = ThreadPoolExecutor(_COMMITS, thread_name_prefix="stow-commit")
        self._waiting: deque[tuple[Peeked, Future[StoreOutcome]]] = deque()

    def begin_part(self, headers: Mapping[str, str]) -> None:
        """Open a writer for a part of type ``application/dicom``.

        Raises
        ------
        InputError
            The part is itself multipart.
        UnsupportedMedia
            The part is metadata or bulk data (PS3.18 §10.5.2), or encoded.
        """
        self._first.clear()
        self._error = None
        kind = headers.get("content-type", "application/dicom").split(";")[0].strip().lower()
        if kind.startswith("multipart/"):
            raise InputError("A part must not be multipart itself; send instances one per part.")
        if kind != "application/dicom":
            raise UnsupportedMedia(
                "Instances are stored as whole Part 10 objects (application/dicom); metadata with "
                f"separate bulk data is not read. This part is {kind[:60]!r}."
            )
        encoding = headers.get("content-transfer-encoding", "binary").lower()
        if encoding not in ("binary", "8bit", "7bit") or "content-encoding" in headers:
            raise UnsupportedMedia("A part's body is sent as it is (binary), not encoded.")
        self._writer = self._ingest.begin(
            source=f"stow:{self._principal.name}"[:200], principal=self._principal
        )

    def part_data(self, data: memoryview) -> None:
        """More of the part."""
        if len(self._first) < _PEEK:
            self._first += data[: _PEEK - len(self._first)]
        if self._writer is not None:
            try:
                self._writer.write(data)
            except EnneadError as error:
                self._writer, self._error = None, error

    def end_part(self) -> None:
        """Let the part be committed, and note how the ones before it went.

        Raises
        ------
        OutOfResources
            Storage is full: the rest of the request would fail as well.
        """
        seen = peek(bytes(self._first))
        writer, self._writer = self._writer, None
        self._waiting.append((seen, self._threads.submit(self._commit, writer, seen, self._error)))
        if len(self._waiting) > 2 * _COMMITS:
            self._settle()

    def finish(self) -> None:
        """Wait for every part that was complete, and forget one that was cut off."""
        if self._writer is not None:
            self._writer.abort()
            self._writer = None
        try:
            while self._waiting:
                with suppress(OutOfResources):  # noted as exhausted
                    self._settle()
        finally:
            self._threads.shutdown()

    def _commit(
        self, writer: Writer | None, seen: Peeked, error: EnneadError | None
    ) -> StoreOutcome:
        if writer is None:
            assert error is not None
            raise error
        try:
            self._check_study(seen)
            return writer.commit()
        finally:
            writer.abort()

    def _settle(self) -> None:
        """Note the outcome of the oldest part under way."""
        seen, future = self._waiting.popleft()
        try:
            done = future.result()
        except EnneadError as error:
            self.outcome.failed.append(
                Failed(
                    seen.sop_class_uid,
                    seen.instance_uid,
                    reason_of(error, seen),
                    error.message,
                )
            )
            if isinstance(error, OutOfResources):
                self.outcome.exhausted = True
                raise
        else:
            self.outcome.stored.append(
                Stored(
                    seen.sop_class_uid,
                    done.instance_uid,
                    seen.series_uid,
                    done.study_uid,
                    done.stored,
                )
            )

    def _check_study(self, seen: Peeked) -> None:
        if self._study_uid and seen.study_uid != self._study_uid:
            raise UnusableObject(
                f"Instances sent to study {self._study_uid} must belong to it (PS3.18 §10.5.1); "
                "this one belongs to another."
            )
