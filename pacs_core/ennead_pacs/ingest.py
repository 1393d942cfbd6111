"""The one way in: C-STORE, STOW-RS, media import and pipelines' results.

Bytes stream through a :class:`Writer`: hashed and scanned as they pass, written to a slot file,
synced, and acknowledged only when the index rows and the outbox event are committed
(docs/adr/0002-storage-and-acknowledgement.md).
"""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ennead.contracts import StoreOutcome
from ennead.database import Database
from ennead.errors import EnneadError, LimitExceeded, OutOfResources
from ennead.security import SYSTEM, Principal
from ennead.settings import Settings
from ennead_pacs.index.committer import Committer
from ennead_pacs.storage.header import Header
from ennead_pacs.storage.quarantine import Quarantine
from ennead_pacs.storage.refusals import Refusals
from ennead_pacs.storage.slots import Slot, SlotPool
from ennead_pacs.storage.writer import Writer as _Writer
from ennead_pacs.storage.writer import out_of_resources

_CHUNK = 1024 * 1024
_log = logging.getLogger(__name__)


class Writer(Protocol):
    """One object on its way in. Use from one thread; end with ``commit`` or ``abort``."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes.

        Raises
        ------
        MalformedObject, UnusableObject, InvalidUID, LimitExceeded, OutOfResources
            The writer is aborted already; the caller only has to answer.
        """
        ...

    def commit(self, *, sop_class_uid: str = "", instance_uid: str = "") -> StoreOutcome:
        """Durable when it returns; ``stored`` is False for an identical object.

        ``sop_class_uid`` and ``instance_uid``, where given (C-STORE command set), must be those
        of the object.

        Raises
        ------
        MalformedObject, UnusableObject, InvalidUID, LimitExceeded, Conflict, OutOfResources
        """
        ...

    def abort(self) -> None:
        """Forget the object; harmless after ``commit`` or another ``abort``."""
        ...


class Ingest:
    """Opens writers. One per process; safe to use from many threads.

    Parameters
    ----------
    settings : Settings
        Where objects lie, and the limits.
    database : Database
        Migrated; every other process of the instance may use it too.

    Examples
    --------
    >>> with Ingest(settings, database) as ingest:                      # doctest: +SKIP
    ...     outcome = ingest.store(Path("ct.dcm"), source="import:admin")
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.slots = SlotPool(settings.objects_dir)
        self.committer = Committer(database, settings.home / "ingest.lock")
        self._quarantine = Quarantine(
            settings.home / "quarantine", settings.storage.quarantine_limit_bytes
        )
        self.refusals = Refusals(database)

    def begin(
        self, *, source: str, transfer_syntax_uid: str | None = None, principal: Principal = SYSTEM
    ) -> Writer:
        """A writer for one object.

        Parameters
        ----------
        source : str
            Kept with the instance: ``dimse:AE@address``, ``stow:user``, ``import:user``.
        transfer_syntax_uid : str or None
            Of the bare dataset that follows (C-STORE); None when a whole Part 10 file follows.
        principal : Principal
            Who the audit trail names when the object is refused.

        Raises
        ------
        UnusableObject
            The transfer syntax is not taken in.
        """
        return _Writer(self, source, transfer_syntax_uid, principal)

    def store(
        self, part10: bytes | Path, *, source: str, principal: Principal = SYSTEM
    ) -> StoreOutcome:
        """Take one whole Part 10 file; raises as :class:`Writer` does."""
        writer = self.begin(source=source, principal=principal)
        try:
            if isinstance(part10, Path):
                with part10.open("rb", buffering=0) as file:
                    while chunk := file.read(_CHUNK):
                        writer.write(chunk)
            else:
                writer.write(part10)
            return writer.commit()
        finally:
            writer.abort()

    def refused(
        self,
        error: EnneadError,
        slot: Slot | None,
        size: int,
        source: str,
        principal: Principal,
        header: Header | None,
    ) -> None:
        """What a writer does with an object it refuses: set it aside and write it down."""
        uid = header.instance_uid if header else ""
        study_uid = header.study_uid if header else ""
        if slot is not None:
            worth_keeping = not isinstance(error, OutOfResources | LimitExceeded)
            note = {"reason": error.code, "message": error.message, "source": source, "uid": uid}
            try:
                if worth_keeping and self._quarantine.take(slot.path, size, note):
                    self.slots.used(slot)
                else:
                    self.slots.give_back(slot)
            except OSError as failure:
                _log.warning("a refused object was not quarantined: %s", out_of_resources(failure))
                self.slots.leave(slot)
        self.refusals.record(
            "object.refused",
            principal,
            error.code,
            study_uid=study_uid,
            object_uid=uid,
            detail={"message": error.message[:400], "source": source},
        )

    def close(self) -> None:
        """Give unused slots and the connection back."""
        try:
            self.refusals.flush()
        finally:
            self.slots.close()
            self.committer.close()

    def __enter__(self) -> Ingest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
