"""C-ECHO (PS3.4 Annex A, PS3.7 §9.1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ennead_pacs.dimse.command import Command, encode_response
from ennead_pacs.dimse.negotiation import Context
from ennead_pacs.dimse.status import SUCCESS

if TYPE_CHECKING:
    from ennead_pacs.dimse.association import Association


def serve(association: Association, context: Context, command: Command) -> None:
    """Answer that we are here."""
    association.drain(context, command)
    association.respond(context, encode_response(command, SUCCESS))
