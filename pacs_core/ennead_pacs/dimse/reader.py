"""PDUs off a socket into one preallocated buffer, with the limits of the upper layer."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from ennead_pacs.dimse.pdu import (
    ABORT,
    INVALID_PARAMETER,
    KNOWN_TYPES,
    NOT_SPECIFIED,
    P_DATA,
    UNRECOGNISED_PDU,
    Aborted,
)

_RATE_WINDOW_S: Final = 30.0
_TICK_S: Final = 1
_SMALL: Final = 64 * 1024


class PDUReader:
    """Reads whole PDUs; the view it returns is valid until the next call.

    Parameters
    ----------
    connection : socket
        Blocking; a receive timeout of one second is set on it.
    limit : int
        Announced maximum length of a P-DATA-TF.
    minimum_rate : int
        Bytes a second below which a peer in the middle of a message is aborted.
    idle_s : float
        Longest silence between messages.
    stopping : callable
        Tells that the process drains: a silent association is then ended.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        limit: int,
        minimum_rate: int,
        idle_s: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._socket = connection
        self._limit = limit
        self._minimum = minimum_rate * _RATE_WINDOW_S
        self._idle_s = idle_s
        self._stopping = stopping
        self._head = memoryview(bytearray(6))
        self._buffer = memoryview(bytearray(max(limit, _SMALL)))
        self._waited = 0.0
        self._got = 0
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _TICK_S, 0))

    def pending(self) -> bool:
        """Whether the peer has sent something that was not read yet."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(0))

    def next(self, *, in_message: bool) -> tuple[int, memoryview]:
        """Type and body of the next PDU.

        Raises
        ------
        Aborted
            The peer broke a rule, was too slow, or went away.
        """
        if in_message:
            self._judge(True)
        else:
            self._waited, self._got = 0.0, 0
        self._receive(self._head, 6, in_message)
        kind = self._head[0]
        length = int.from_bytes(self._head[2:6], "big")
        if kind not in KNOWN_TYPES:
            raise Aborted(UNRECOGNISED_PDU, f"PDU of type {kind:#04x}")
        if length > (self._limit if kind == P_DATA else _SMALL) or (length < 4):
            raise Aborted(INVALID_PARAMETER, f"PDU of type {kind} announces {length} bytes")
        body = self._buffer[:length]
        self._receive(body, length, True)
        if kind == ABORT:
            raise Aborted(None, "the peer aborted")
        return kind, body

    def _receive(self, target: memoryview, size: int, in_message: bool) -> None:
        got = 0
        while got < size:
            started = time.monotonic()
            try:
                count = self._socket.recv_into(target[got:], size - got, socket.MSG_WAITALL)
            except (BlockingIOError, InterruptedError):
                count = -1
            except OSError as error:
                raise Aborted(None, "the connection broke") from error
            if count == 0:
                raise Aborted(None, "the peer closed the connection")
            self._waited += time.monotonic() - started
            if count > 0:
                got += count
                self._got += count
                if got == size:
                    return
            self._judge(in_message or got > 0)

    def _judge(self, in_message: bool) -> None:
        if not in_message:
            if self._stopping():
                raise Aborted(NOT_SPECIFIED, "the service is stopping")
            if self._waited > self._idle_s:
                raise Aborted(NOT_SPECIFIED, f"no message for {self._idle_s:.0f} s")
        elif self._waited >= _RATE_WINDOW_S:
            if self._got < self._minimum:
                raise Aborted(NOT_SPECIFIED, f"{self._got} bytes in {self._waited:.0f} s")
            self._waited, self._got = 0.0, 0
