"""The gate: connections become associations only after a whole, legal request.

One thread watches every connection that has not associated yet; none of them holds a thread, and
each is closed at its deadline. Lengths are judged from the six-byte header.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from ennead_pacs.dimse import pdu
from ennead_pacs.dimse.node import Node
from ennead_pacs.dimse.peer import converse
from ennead_pacs.service import acceptor_count

_LINGER_S = 1.0
_CHUNK = 64 * 1024
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    connection: socket.socket
    address: str
    deadline: float
    data: bytearray = field(default_factory=bytearray)
    closing: bool = False

    @property
    def missing(self) -> int:
        """Bytes to read next: the header, then exactly what it announces."""
        if len(self.data) < 6:
            return 6 - len(self.data)
        return 6 + int.from_bytes(self.data[2:6], "big") - len(self.data)


class Acceptor:
    """Watches a listening socket until ``node.stop`` is set."""

    def __init__(self, node: Node, listener: socket.socket) -> None:
        self._node = node
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[int, _Waiting] = {}
        self._per_ip: Counter[str] = Counter()
        shares = acceptor_count(node.settings)
        limits = node.settings.dicom
        self._limit_ip = max(1, -(-limits.pending_connections_per_ip // shares))
        self._limit = max(1, -(-limits.pending_connections // shares))

    def run(self) -> None:
        """Accept until stopped; the listener is closed on return."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        try:
            while not self._node.stop.is_set():
                events = self._selector.select(0.25 if self._waiting else 0.5)
                ready = [key.fd for key, _ in events]
                for fd in ready:  # finish requests first: they free places
                    if fd in self._waiting:
                        self._readable(fd)
                if self._listener.fileno() in ready:
                    self._accept()
                self._expire()
        finally:
            self._selector.close()
            self._listener.close()
            for waiting in self._waiting.values():
                waiting.connection.close()
            self._waiting.clear()

    def _accept(self) -> None:
        for _ in range(64):
            try:
                connection, peer = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of file descriptors, or the peer left already
                _log.warning("a connection was not accepted: %s", error.strerror)
                time.sleep(0.05)
                return
            address = str(peer[0])
            if self._per_ip[address] >= self._limit_ip or len(self._waiting) >= self._limit:
                connection.close()
                continue
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            deadline = time.monotonic() + self._node.settings.dicom.request_deadline_s
            self._waiting[connection.fileno()] = _Waiting(connection, address, deadline)
            self._per_ip[address] += 1
            self._selector.register(connection, selectors.EVENT_READ)
            self._readable(connection.fileno())

    def _readable(self, fd: int) -> None:
        waiting = self._waiting[fd]
        try:
            if waiting.closing:
                if not waiting.connection.recv(_CHUNK):
                    self._drop(fd)
                return
            data = waiting.connection.recv(min(waiting.missing, _CHUNK))
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)
            return
        if not data:
            self._drop(fd)
            return
        waiting.data += data
        reason = self._judge(waiting)
        if reason is not None:
            self._close_with_abort(waiting, reason)
        elif len(waiting.data) > 6 and not waiting.missing:
            self._start(fd)

    def _judge(self, waiting: _Waiting) -> int | None:
        """The abort reason, as soon as the bytes show it."""
        kind = waiting.data[0]
        if kind != pdu.ASSOCIATE_RQ:
            return pdu.UNEXPECTED_PDU if kind in pdu.KNOWN_TYPES else pdu.UNRECOGNISED_PDU
        if len(waiting.data) >= 6:
            length = int.from_bytes(waiting.data[2:6], "big")
            limit = self._node.settings.dicom.associate_request_limit_bytes
            if not 68 <= length <= limit:
                return pdu.INVALID_PARAMETER
        return None

    def _close_with_abort(self, waiting: _Waiting, reason: int) -> None:
        """Send A-ABORT, then read past what still comes so that the peer gets to see it."""
        _log.warning("connection from %s aborted (reason %d)", waiting.address, reason)
        with contextlib.suppress(OSError):
            waiting.connection.send(pdu.abort(reason))
            waiting.connection.shutdown(socket.SHUT_WR)
        waiting.closing = True
        waiting.data.clear()
        waiting.deadline = time.monotonic() + _LINGER_S

    def _start(self, fd: int) -> None:
        waiting = self._release(fd)
        waiting.connection.setblocking(True)
        thread = threading.Thread(
            target=converse,
            args=(self._node, waiting.connection, waiting.address, bytes(waiting.data)),
            name=f"association-{waiting.address}",
            daemon=True,
        )
        thread.start()

    def _release(self, fd: int) -> _Waiting:
        waiting = self._waiting.pop(fd)
        self._selector.unregister(waiting.connection)
        self._per_ip[waiting.address] -= 1
        if not self._per_ip[waiting.address]:
            del self._per_ip[waiting.address]
        return waiting

    def _drop(self, fd: int) -> None:
        self._release(fd).connection.close()

    def _expire(self) -> None:
        now = time.monotonic()
        for fd in [fd for fd, w in self._waiting.items() if w.deadline < now]:
            self._drop(fd)
