"""Which service answers which request of an association (PS3.7 §9.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ennead_pacs.dimse import echo, find, get, store
from ennead_pacs.dimse.association import Association
from ennead_pacs.dimse.command import RESPONSE, Command, CommandField, Field, encode_response
from ennead_pacs.dimse.negotiation import Context
from ennead_pacs.dimse.pdu import UNEXPECTED_PDU, Aborted
from ennead_pacs.dimse.status import UNRECOGNISED_OPERATION

_SERVICES: Final[dict[int, Callable[[Association, Context, Command], None]]] = {
    CommandField.C_STORE: store.serve,
    CommandField.C_ECHO: echo.serve,
    CommandField.C_FIND: find.serve,
    CommandField.C_GET: get.serve,
}


def serve(association: Association) -> None:
    """Answer until the peer releases.

    Raises
    ------
    Aborted
        The association ends otherwise.
    """
    while (message := association.message()) is not None:
        _answer(association, *message)


def _answer(association: Association, context: Context, command: Command) -> None:
    field = command.number(Field.COMMAND_FIELD)
    service = _SERVICES.get(field)
    if service is not None:
        service(association, context, command)
    elif field == CommandField.C_CANCEL:
        return  # came after the last response
    elif field & RESPONSE:
        raise Aborted(UNEXPECTED_PDU, f"response {field:#06x} to nothing")
    else:
        association.drain(context, command)
        comment = f"Operation {field:#06x} is not served here"
        answer = encode_response(command, UNRECOGNISED_OPERATION, comment=comment)
        association.respond(context, answer)
