"""From a complete request to the end of the association, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import socket
import time

from ennead.database import Database
from ennead.security import Principal, Role, audit
from ennead_pacs.dimse import metrics, pdu
from ennead_pacs.dimse.admission import admit, shown
from ennead_pacs.dimse.association import Association
from ennead_pacs.dimse.negotiation import negotiate
from ennead_pacs.dimse.node import Node
from ennead_pacs.dimse.services import serve
from ennead_pacs.storage.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

_LINGER_S = 1.0
_log = logging.getLogger(__name__)


def converse(node: Node, connection: socket.socket, address: str, request: bytes) -> None:
    """Answer the request, serve the association, write the audit record, close."""
    calling = "?"
    try:
        calling = shown(request[26:42])
        _associate(node, connection, address, request)
    except pdu.Rejected as rejected:
        _log.warning("association of %s at %s rejected: %s", calling, address, rejected.why)
        metrics.ASSOCIATIONS.labels("rejected").inc()
        _refused(node, calling, address, rejected.why)
        _goodbye(connection, pdu.reject(*rejected.triple))
    except pdu.Aborted as aborted:
        _log.warning("association of %s at %s aborted: %s", calling, address, aborted.why)
        metrics.ASSOCIATIONS.labels("aborted").inc()
        if aborted.reason is not None:
            _refused(node, calling, address, aborted.why)
            _goodbye(connection, pdu.abort(aborted.reason))
    except Exception:  # the last line of defence of a thread: log, tell the peer, go on
        _log.exception("association of %s at %s failed", calling, address)
        metrics.ASSOCIATIONS.labels("failed").inc()
        _goodbye(connection, pdu.abort(pdu.NOT_SPECIFIED))
    finally:
        connection.close()


def _associate(node: Node, connection: socket.socket, address: str, data: bytes) -> None:
    request = pdu.decode_request(memoryview(data)[6:])
    principal = admit(node, request, address)
    calling = shown(request.calling)
    if not node.enter(calling):
        raise pdu.Rejected(2, 3, 2, "too many associations")
    try:
        negotiated = negotiate(request)
        association = Association(
            node, connection, principal, calling, negotiated, request.maximum_length
        )
        answer = pdu.encode_accept(
            request,
            negotiated.answers,
            maximum_length=node.settings.dicom.maximum_pdu_bytes,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION,
            roles=negotiated.roles,
        )
        metrics.ASSOCIATIONS.labels("accepted").inc()
        try:
            association.send([answer])
            serve(association)
        finally:
            _record(node.database, association)
    finally:
        node.leave(calling)


def _record(database: Database, association: Association) -> None:
    """One audit record per service used, with counts, when the association ends."""
    counts = association.counts
    services = (
        ("instances.stored", ("stored", "duplicate", "refused")),
        ("index.queried", ("queries", "matches")),
        ("instances.sent", ("sent", "not_sent")),
    )
    studies = sorted(association.studies)
    used = [(action, names) for action, names in services if any(counts[n] for n in names)]
    if not used:
        return
    try:
        with database.begin() as connection:
            for action, names in used:
                touched = {} if action == "index.queried" else {"studies": studies[:100]}
                audit.record(
                    connection,
                    association.principal,
                    action,
                    study_uid=studies[0] if len(studies) == 1 and touched else "",
                    outcome="failure" if counts["refused"] and not counts["stored"] else "success",
                    detail={"ae": association.calling}
                    | {name: counts[name] for name in names}
                    | touched,
                )
    except Exception as error:  # what was stored stays stored; the gap must be seen
        _log.error("an association was not audited: %s", type(error).__name__)


def _refused(node: Node, calling: str, address: str, why: str) -> None:
    principal = Principal(calling[:64], calling[:64], frozenset[Role](), "ae", address)
    node.ingest.refusals.record("association.refused", principal, why[:200])


def _goodbye(connection: socket.socket, last: bytes) -> None:
    """Send the last PDU and read past what still comes, so that it is not lost to a reset."""
    with contextlib.suppress(OSError):
        connection.sendall(last)
        connection.shutdown(socket.SHUT_WR)
        end = time.monotonic() + _LINGER_S
        connection.settimeout(_LINGER_S)
        while time.monotonic() < end and connection.recv(64 * 1024):
            pass
