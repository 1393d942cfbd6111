"""The one way in: C-STORE, STOW-RS, media import and pipelines' results.

Bytes stream through a :class:`Writer`: hashed and scanned as they pass, written to a slot file,
synced, and acknowledged only when the index rows and the outbox event are committed
(docs/adr/0002-storage-and-acknowledgement.md).
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol

from ennead.contracts import StoreOutcome
from ennead.database import Database
from ennead.security import SYSTEM, Principal
from ennead.settings import Settings


class Writer(Protocol):
    """One object on its way in. Use from one thread; end with ``commit`` or ``abort``."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes.

        Raises
        ------
        MalformedObject, UnusableObject, LimitExceeded, OutOfResources
            The writer is aborted already; the caller only has to answer.
        """
        ...

    def commit(self, *, sop_class_uid: str = "", instance_uid: str = "") -> StoreOutcome:
        """Durable when it returns; ``stored`` is False for an identical object.

        ``sop_class_uid`` and ``instance_uid``, where given (C-STORE command set), must be those
        of the object.

        Raises
        ------
        MalformedObject, UnusableObject, LimitExceeded, Conflict, OutOfResources
        """
        ...

    def abort(self) -> None:
        """Forget the object; harmless after ``commit`` or another ``abort``."""
        ...


class Ingest:
    """Opens writers. One per process; safe to use from many threads.

    Examples
    --------
    >>> with Ingest(settings, database) as ingest:                      # doctest: +SKIP
    ...     outcome = ingest.store(Path("ct.dcm"), source="import:admin")
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

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
        """
        raise NotImplementedError

    def store(
        self, part10: bytes | Path, *, source: str, principal: Principal = SYSTEM
    ) -> StoreOutcome:
        """Take one whole Part 10 file; raises as :class:`Writer` does."""
        raise NotImplementedError

    def close(self) -> None:
        """Give unused slots back."""

    def __enter__(self) -> Ingest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
