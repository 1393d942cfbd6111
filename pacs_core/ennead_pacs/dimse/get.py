"""C-GET (PS3.4 §C.4.3, PS3.7 §9.1.3): stored bytes go out as they are, on the same association.

An uncompressed little endian object is re-encoded when the peer takes it only with the other kind
of VR.
"""

from __future__ import annotations

import io
import logging
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from ennead.errors import EnneadError, NotPermitted, UnusableObject
from ennead.security import Permission
from ennead_pacs.dimse import metrics
from ennead_pacs.dimse.command import Command, CommandField, Field, encode_command, encode_response
from ennead_pacs.dimse.find import query_status, read_dataset
from ennead_pacs.dimse.identifier import Identifier, encode_dataset, read_identifier
from ennead_pacs.dimse.negotiation import Context
from ennead_pacs.dimse.pdu import UNEXPECTED_PDU, Aborted
from ennead_pacs.dimse.reencode import LITTLE_ENDIAN, reencode
from ennead_pacs.dimse.sop_classes import PATIENT_ROOT_GET, STUDY_ROOT_GET
from ennead_pacs.dimse.status import (
    CANCELLED,
    PENDING,
    SOME_SUBOPERATIONS_FAILED,
    SUCCESS,
    UNABLE_TO_PERFORM_SUBOPERATIONS,
    UNABLE_TO_PROCESS,
)
from ennead_pacs.index.search import InstanceQuery, search_instances
from ennead_pacs.storage.transfer_syntaxes import IMPLICIT_LITTLE

if TYPE_CHECKING:
    from ennead_pacs.dimse.association import Association

_CHUNK: Final = 1024 * 1024
_REENCODE_LIMIT: Final = 512 * 1024**2
_FAILED_LIST: Final = 0x00080058
_UNIQUE_KEYS: Final = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
_log = logging.getLogger(__name__)


def serve(association: Association, context: Context, command: Command) -> None:
    """Send every match by C-STORE on this association, then the final status."""
    data = read_dataset(association, context, command)
    try:
        rows = _find(association, context, bytes(data or b""))
    except EnneadError as error:
        status = query_status(error)
        _log.warning("C-GET answered %04XH: %s", status, error)
        association.respond(context, encode_response(command, status, comment=error.message))
        return
    except SQLAlchemyError as error:
        _log.warning("C-GET: the index failed: %s", type(error).__name__)
        association.respond(context, encode_response(command, UNABLE_TO_PROCESS))
        return
    _Retrieval(association, context, command, rows).run()


def _find(association: Association, context: Context, data: bytes) -> list[Row[Any]]:
    if not association.principal.may(Permission.STUDY_READ):
        raise NotPermitted(f"Retrieval needs the permission {Permission.STUDY_READ}.")
    if context.abstract_syntax not in (STUDY_ROOT_GET, PATIENT_ROOT_GET):
        raise UnusableObject(f"C-GET is not a service of {context.abstract_syntax}.")
    identifier = read_identifier(data, context.transfer_syntax, context.abstract_syntax)
    with association.node.database.read() as connection:
        return list(search_instances(connection, InstanceQuery(_keys(identifier))))


def _keys(identifier: Identifier) -> dict[str, str]:
    """The unique keys; that of the level itself must be there (PS3.4 §C.4.3.1.3.1)."""
    filters = identifier.filters()
    own = _UNIQUE_KEYS[identifier.level]
    if not filters.get(own) or set(filters[own]) & set("*?"):
        raise UnusableObject(f"C-GET at level {identifier.level} needs {own} without wildcards.")
    return {name: filters[name] for name in _UNIQUE_KEYS.values() if name in filters}


class _Retrieval:
    """The sub-operations of one C-GET."""

    def __init__(
        self, association: Association, context: Context, command: Command, rows: list[Row[Any]]
    ) -> None:
        self._association = association
        self._context = context
        self._command = command
        self._rows = rows
        self._counts: Counter[str] = Counter(completed=0, failed=0, warning=0)
        self._failed: list[str] = []
        self._message_id = 0
        self._cancelled = False
        # (SOP class, transfer syntax) → context on which the peer takes C-STORE.
        self._ways = {
            (c.abstract_syntax, c.transfer_syntax): c
            for c in association.contexts.values()
            if c.to_peer
        }

    def run(self) -> None:
        """Send all, answering pending after each."""
        association = self._association
        for position, row in enumerate(self._rows):
            outcome = self._send(row)
            self._counts[outcome] += 1
            association.counts["not_sent" if outcome == "failed" else "sent"] += 1
            metrics.SENT.labels(outcome).inc()
            if outcome == "failed":
                self._failed.append(row.instance_uid)
            else:
                association.studies.add(row.study_uid)
            remaining = len(self._rows) - position - 1
            if self._cancelled or association.cancelled(self._command.number(Field.MESSAGE_ID)):
                self._finish(CANCELLED, remaining=remaining)
                return
            if remaining:
                self._respond(PENDING, remaining=remaining)
        if not self._failed:
            self._finish(SUCCESS)
        elif self._counts["completed"] or self._counts["warning"]:
            self._finish(SOME_SUBOPERATIONS_FAILED)
        else:
            self._finish(UNABLE_TO_PERFORM_SUBOPERATIONS)

    def _finish(self, status: int, **counts: int) -> None:
        listed: bytes = b""
        if status != SUCCESS:
            implicit = self._context.transfer_syntax == IMPLICIT_LITTLE
            # An element of VR UI holds at most 65534 bytes in explicit VR.
            uids = "\\".join(self._failed[:1000])
            listed = encode_dataset([(_FAILED_LIST, uids)], implicit=implicit)
        self._respond(status, listed, **counts)

    def _respond(self, status: int, dataset: bytes = b"", **counts: int) -> None:
        numbers = {**self._counts, **counts}
        response = encode_response(self._command, status, dataset=bool(dataset), counts=numbers)
        self._association.respond(self._context, response, dataset)

    def _send(self, row: Row[Any]) -> str:
        way = self._ways.get((row.sop_class_uid, row.transfer_syntax_uid))
        other = way or self._other_way(row)
        if other is None:
            _log.warning(
                "C-GET: the peer offers no context for %s in %s",
                row.sop_class_uid,
                row.transfer_syntax_uid,
            )
            return "failed"
        path = self._association.node.settings.objects_dir / row.location
        try:
            with path.open("rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_size != row.size_bytes:
                    _log.error("C-GET: %s has another size than it had", row.instance_uid)
                    return "failed"
                if way is not None:
                    self._store(way, row, file, row.dataset_offset, row.size_bytes)
                else:
                    data = reencode(path, other.transfer_syntax)
                    self._store(other, row, io.BytesIO(data), 0, len(data))
        except OSError as error:
            _log.error("C-GET: %s cannot be read: %s", row.instance_uid, error.strerror)
            return "failed"
        except EnneadError as error:
            _log.warning("C-GET: %s was not sent: %s", row.instance_uid, error)
            return "failed"
        return self._answer(other)

    def _other_way(self, row: Row[Any]) -> Context | None:
        """A context with the other kind of VR, for an uncompressed little endian object."""
        if row.transfer_syntax_uid not in LITTLE_ENDIAN or row.size_bytes > _REENCODE_LIMIT:
            return None
        ways = (self._ways.get((row.sop_class_uid, syntax)) for syntax in LITTLE_ENDIAN)
        return next((way for way in ways if way is not None), None)

    def _store(self, way: Context, row: Row[Any], source: BinaryIO, offset: int, end: int) -> None:
        association = self._association
        self._message_id = self._message_id % 0xFFFF + 1
        request = encode_command(
            {
                Field.AFFECTED_SOP_CLASS_UID: row.sop_class_uid,
                Field.COMMAND_FIELD: CommandField.C_STORE,
                Field.MESSAGE_ID: self._message_id,
                Field.PRIORITY: 0,
                Field.DATASET_TYPE: 1,
                Field.AFFECTED_SOP_INSTANCE_UID: row.instance_uid,
            }
        )
        parts = list(association.fragments(way.id, 1, request))
        # Whole fragments per chunk, so that only the last one of the object is short.
        room = max(association.maximum - 6, 2) & ~1
        step = max(_CHUNK // room, 1) * room
        source.seek(offset)
        while offset < end:
            data = source.read(min(step, end - offset))
            if not data:
                raise Aborted(0, f"{row.instance_uid} became shorter while it was sent")
            offset += len(data)
            parts += association.fragments(way.id, 0, data, last=offset >= end)
            association.send(parts)
            parts = []

    def _answer(self, way: Context) -> str:
        """The peer's C-STORE response; a C-CANCEL may come before it."""
        while True:
            message = self._association.message()
            if message is None:
                raise Aborted(None, "the peer released during C-GET")
            context, response = message
            field = response.number(Field.COMMAND_FIELD)
            if field == CommandField.C_CANCEL:
                self._cancelled = True
                continue
            if field != CommandField.C_STORE | 0x8000 or context.id != way.id:
                raise Aborted(UNEXPECTED_PDU, "a request instead of a C-STORE response")
            self._association.drain(context, response)
            status = response.number(Field.STATUS)
            if status == SUCCESS:
                return "completed"
            return "warning" if status & 0xF000 == 0xB000 else "failed"
