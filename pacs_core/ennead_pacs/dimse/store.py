"""C-STORE (PS3.4 Annex B, PS3.7 §9.1.1): dataset fragments go straight to the ingest."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ennead.errors import EnneadError, NotPermitted, UnusableObject
from ennead.security import Permission
from ennead_pacs.dimse import metrics
from ennead_pacs.dimse.command import Command, Field, encode_response
from ennead_pacs.dimse.negotiation import Context
from ennead_pacs.dimse.sop_classes import storage_classes
from ennead_pacs.dimse.status import SUCCESS, store_status
from ennead_pacs.ingest import Writer

if TYPE_CHECKING:
    from ennead_pacs.dimse.association import Association

_log = logging.getLogger(__name__)


def serve(association: Association, context: Context, command: Command) -> None:
    """Take one object; the answer says 0000H only when it is durable."""
    status, comment = SUCCESS, ""
    received = 0
    writer: Writer | None = None
    failure: EnneadError | None = None
    sop_class = command.text(Field.AFFECTED_SOP_CLASS_UID)
    uid = command.text(Field.AFFECTED_SOP_INSTANCE_UID)
    try:
        try:
            writer = _begin(association, context, command, sop_class)
        except EnneadError as error:
            failure = error
        if command.has_dataset:
            for fragment in association.dataset(context):
                received += len(fragment)
                if writer is not None:
                    try:
                        writer.write(fragment)
                    except EnneadError as error:
                        failure, writer = error, None
        if writer is not None:
            outcome = writer.commit(sop_class_uid=sop_class, instance_uid=uid)
            association.counts["stored" if outcome.stored else "duplicate"] += 1
            association.studies.add(outcome.study_uid)
            (metrics.STORED if outcome.stored else metrics.DUPLICATE).inc()
    except EnneadError as error:
        failure = error
    finally:
        if writer is not None:
            writer.abort()
    metrics.BYTES.inc(received)
    if failure is not None:
        status, comment = store_status(failure), failure.message
        association.counts["refused"] += 1
        metrics.REFUSED.inc()
        _log.warning("C-STORE %s answered %04XH: %s", uid[:64], status, failure)
    association.respond(context, encode_response(command, status, comment=comment))


def _begin(association: Association, context: Context, command: Command, sop_class: str) -> Writer:
    principal = association.principal
    if not principal.may(Permission.STUDY_WRITE):
        raise NotPermitted(f"Storing needs the permission {Permission.STUDY_WRITE}.")
    if sop_class != context.abstract_syntax or sop_class not in storage_classes():
        raise UnusableObject(
            f"The request names SOP class {sop_class[:64]}, but its presentation context is for "
            f"{context.abstract_syntax}."
        )
    if not command.has_dataset:
        raise UnusableObject("A C-STORE request needs a dataset.")
    return association.node.ingest.begin(
        source=f"dimse:{association.calling}@{principal.address}",
        transfer_syntax_uid=context.transfer_syntax,
        principal=principal,
    )
