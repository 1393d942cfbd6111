"""One association: messages in, answers out (PS3.7 §8, PS3.8 §9.3)."""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator

from ennead.security import Principal
from ennead_pacs.dimse.command import Command, CommandField, Field
from ennead_pacs.dimse.negotiation import Context, Negotiated
from ennead_pacs.dimse.node import Node
from ennead_pacs.dimse.pdu import (
    INVALID_PARAMETER,
    P_DATA,
    RELEASE_RESPONSE,
    RELEASE_RQ,
    UNEXPECTED_PDU,
    Aborted,
)
from ennead_pacs.dimse.reader import PDUReader

_COMMAND_LIMIT = 16 * 1024
_LARGEST_PDU = 1024 * 1024
_SEND_TIMEOUT_S = 30
_PDV = struct.Struct(">BxIIBB").pack


class Association:
    """An accepted association, driven by one thread.

    Attributes
    ----------
    counts : Counter
        What happened, for the audit record: ``stored``, ``duplicate``, ``refused``, ``queries``,
        ``matches``, ``sent``, ``not_sent``.
    studies : set of str
        Studies touched.
    """

    def __init__(
        self,
        node: Node,
        connection: socket.socket,
        principal: Principal,
        calling: str,
        negotiated: Negotiated,
        peer_maximum: int,
    ) -> None:
        self.node = node
        self.principal = principal
        self.calling = calling
        self.contexts = negotiated.contexts
        self.counts: Counter[str] = Counter()
        self.studies: set[str] = set()
        self._socket = connection
        self.maximum = min(peer_maximum or _LARGEST_PDU, _LARGEST_PDU)
        self._body: memoryview = memoryview(b"")
        timeout = struct.pack("ll", _SEND_TIMEOUT_S, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        self.reader = PDUReader(
            connection,
            limit=node.settings.dicom.maximum_pdu_bytes,
            minimum_rate=node.settings.dicom.minimum_rate_bytes_s,
            idle_s=node.settings.dicom.idle_timeout_s,
            stopping=node.stop.is_set,
        )

    def message(self) -> tuple[Context, Command] | None:
        """The next command set; None when the peer released the association."""
        data = bytearray()
        context_id = -1
        while True:
            fragment = self._fragment(in_message=context_id >= 0)
            if fragment is None:
                if context_id >= 0:
                    raise Aborted(UNEXPECTED_PDU, "release inside a message")
                self.send([RELEASE_RESPONSE])
                return None
            identifier, flags, view = fragment
            if not flags & 1 or context_id not in (-1, identifier):
                raise Aborted(INVALID_PARAMETER, "a dataset fragment without a command set")
            context_id = identifier
            data += view
            if len(data) > _COMMAND_LIMIT:
                raise Aborted(INVALID_PARAMETER, f"a command set beyond {_COMMAND_LIMIT} bytes")
            if flags & 2:
                break
        context = self.contexts.get(context_id)
        if context is None:
            raise Aborted(INVALID_PARAMETER, f"presentation context {context_id} is not accepted")
        return context, Command(data)

    def dataset(self, context: Context) -> Iterator[memoryview]:
        """The dataset that follows, in blocks; each is valid until the next."""
        rest, self._body = self._body, memoryview(b"")
        return self.reader.blocks(context.id, rest)

    def _fragment(self, *, in_message: bool) -> tuple[int, int, memoryview] | None:
        """Context id, message control header and value of the next PDV; None for a release."""
        body = self._body
        if not len(body):
            kind, body = self.reader.next(in_message=in_message)
            if kind == RELEASE_RQ:
                return None
            if kind != P_DATA:
                raise Aborted(UNEXPECTED_PDU, f"PDU of type {kind} inside an association")
        if len(body) < 6:
            raise Aborted(INVALID_PARAMETER, "a truncated PDV")
        length = int.from_bytes(body[:4], "big")
        if length < 2 or length + 4 > len(body):
            raise Aborted(INVALID_PARAMETER, f"a PDV of {length} bytes in {len(body) - 4}")
        self._body = body[4 + length :]
        return body[4], body[5], body[6 : 4 + length]

    def drain(self, context: Context, command: Command) -> None:
        """Read past the dataset of a message that is refused."""
        if command.has_dataset:
            for _ in self.dataset(context):
                pass

    def cancelled(self, message_id: int) -> bool:
        """Whether the peer has asked meanwhile to cancel that operation."""
        if not len(self._body) and not self.reader.pending():
            return False
        message = self.message()
        if message is None:
            raise Aborted(None, "the peer released during an operation")
        _, command = message
        if command.number(Field.COMMAND_FIELD) != CommandField.C_CANCEL:
            raise Aborted(UNEXPECTED_PDU, "a request before the last response")
        return command.number(Field.MESSAGE_ID_BEING_RESPONDED_TO) == message_id

    def respond(self, context: Context, command: bytes, dataset: bytes = b"") -> None:
        """Send a command set, and the dataset that goes with it."""
        parts = list(self.fragments(context.id, 1, command))
        if dataset:
            parts += self.fragments(context.id, 0, dataset)
        self.send(parts)

    def fragments(
        self, context_id: int, flag: int, data: bytes | memoryview, *, last: bool = True
    ) -> Iterator[bytes | memoryview]:
        """P-DATA-TFs of one PDV each: header, value, header, value and so on."""
        room = max(self.maximum - 6, 2) & ~1
        view = memoryview(data)
        size = len(view)
        for offset in range(0, size, room):
            chunk = view[offset : offset + room]
            end = 2 if last and offset + room >= size else 0
            yield _PDV(P_DATA, len(chunk) + 6, len(chunk) + 2, context_id, flag | end)
            yield chunk

    def send(self, parts: list[bytes | memoryview]) -> None:
        """Send everything, in order; raises Aborted when the peer is gone or does not read."""
        pending = [memoryview(part) for part in parts]
        started = time.monotonic()
        try:
            while pending:
                sent = self._socket.sendmsg(pending[:512])
                while pending and sent >= len(pending[0]):
                    sent -= len(pending.pop(0))
                if sent:
                    pending[0] = pending[0][sent:]
                if pending and time.monotonic() - started > 4 * _SEND_TIMEOUT_S:
                    raise Aborted(None, "the peer does not read")
        except OSError as error:
            raise Aborted(None, "the connection broke") from error
