"""C-FIND (PS3.4 Annex C, PS3.7 §9.1.2): Study Root and Patient Root."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Select
from sqlalchemy.exc import SQLAlchemyError

from ennead.errors import EnneadError, MalformedObject, NotPermitted, UnusableObject
from ennead.security import Permission
from ennead_pacs.dimse import metrics
from ennead_pacs.dimse.answers import Answers
from ennead_pacs.dimse.command import Command, Field, encode_response
from ennead_pacs.dimse.identifier import IDENTIFIER_LIMIT, Identifier, read_identifier
from ennead_pacs.dimse.negotiation import Context
from ennead_pacs.dimse.sop_classes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from ennead_pacs.dimse.status import (
    CANCELLED,
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH_SOP_CLASS,
    NOT_AUTHORISED,
    PENDING,
    PENDING_WITHOUT_SOME_KEYS,
    SUCCESS,
    UNABLE_TO_PROCESS,
)
from ennead_pacs.index.deadline import deadline
from ennead_pacs.index.search import (
    InstanceQuery,
    SeriesQuery,
    StudyQuery,
    instance_statement,
    patient_statement,
    series_statement,
    study_statement,
)
from ennead_pacs.storage.transfer_syntaxes import IMPLICIT_LITTLE

if TYPE_CHECKING:
    from ennead_pacs.dimse.association import Association

_BATCH_BYTES = 64 * 1024
_ROWS = 200
_log = logging.getLogger(__name__)


def serve(association: Association, context: Context, command: Command) -> None:
    """Answer every match as pending, then the final status."""
    data = read_dataset(association, context, command)
    association.counts["queries"] += 1
    status, comment = SUCCESS, ""
    try:
        _check(association, context, data)
        found = read_identifier(data or b"", context.transfer_syntax, context.abstract_syntax)
        status = _answer(association, context, command, found)
    except EnneadError as error:
        status, comment = query_status(error), error.message
        _log.warning("C-FIND answered %04XH: %s", status, error)
    except SQLAlchemyError as error:
        status, comment = UNABLE_TO_PROCESS, "The index did not answer in time"
        _log.warning("C-FIND answered %04XH: %s", status, type(error).__name__)
    metrics.QUERIES.labels("ok" if status in (SUCCESS, CANCELLED) else "failed").inc()
    association.respond(context, encode_response(command, status, comment=comment))


def read_dataset(association: Association, context: Context, command: Command) -> bytearray | None:
    """The identifier's bytes; None when it is larger than the limit (it is read past)."""
    data: bytearray | None = bytearray()
    if command.has_dataset:
        for fragment in association.dataset(context):
            if data is not None:
                data += fragment
                if len(data) > IDENTIFIER_LIMIT:
                    data = None
    return data


def query_status(error: EnneadError) -> int:
    """The status of a query or retrieval that cannot be done (PS3.4 Tables C.4-1, C.4-3)."""
    if isinstance(error, MalformedObject):
        return CANNOT_UNDERSTAND
    if isinstance(error, NotPermitted):
        return NOT_AUTHORISED
    return DOES_NOT_MATCH_SOP_CLASS


def _check(association: Association, context: Context, data: bytearray | None) -> None:
    if not association.principal.may(Permission.STUDY_READ):
        raise NotPermitted(f"A query needs the permission {Permission.STUDY_READ}.")
    if context.abstract_syntax not in (STUDY_ROOT_FIND, PATIENT_ROOT_FIND):
        raise UnusableObject(f"C-FIND is not a service of {context.abstract_syntax}.")
    if data is None:
        raise UnusableObject(f"The identifier is larger than {IDENTIFIER_LIMIT} bytes.")


def _answer(
    association: Association, context: Context, command: Command, identifier: Identifier
) -> int:
    settings = association.node.settings.dicom
    implicit = context.transfer_syntax == IMPLICIT_LITTLE
    answers = Answers(identifier, ae_title=settings.ae_title, implicit=implicit)
    pending = PENDING_WITHOUT_SOME_KEYS if answers.incomplete else PENDING
    head = encode_response(command, pending, dataset=True)
    message_id = command.number(Field.MESSAGE_ID)
    parts: list[bytes | memoryview] = []
    size = 0
    for row in _rows(association, identifier):
        association.counts["matches"] += 1
        data = answers.encode(row)
        parts += association.fragments(context.id, 1, head)
        parts += association.fragments(context.id, 0, data)
        size += len(head) + len(data)
        if size >= _BATCH_BYTES:
            association.send(parts)
            parts, size = [], 0
            if association.cancelled(message_id):
                return CANCELLED
    association.send(parts)
    return CANCELLED if association.cancelled(message_id) else SUCCESS


def _rows(association: Association, identifier: Identifier) -> Iterator[Row[Any]]:
    node = association.node
    with node.database.read() as connection:
        statement = _statement(identifier, connection.dialect.name)
        with deadline(connection, node.settings.dicom.query_timeout_s):
            result = connection.execution_options(yield_per=_ROWS).execute(statement)
            first = result.fetchmany(_ROWS)
        while first:
            yield from first
            first = result.fetchmany(_ROWS)


def _statement(identifier: Identifier, dialect: str) -> Select[Any]:
    filters = identifier.filters()
    if identifier.level == "PATIENT":
        return patient_statement(StudyQuery(filters), dialect)
    if identifier.level == "STUDY":
        return study_statement(StudyQuery(filters), dialect)
    if identifier.level == "SERIES":
        return series_statement(SeriesQuery(filters), dialect)
    return instance_statement(InstanceQuery(filters), dialect)
