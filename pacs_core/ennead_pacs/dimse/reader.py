"""PDUs off a socket into one preallocated buffer, with the limits of the upper layer."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Final

from ennead_pacs.dimse.pdu import (
    ABORT,
    INVALID_PARAMETER,
    KNOWN_TYPES,
    NOT_SPECIFIED,
    P_DATA,
    UNEXPECTED_PDU,
    UNRECOGNISED_PDU,
    Aborted,
)

_RATE_WINDOW_S: Final = 30.0
_TICK_S: Final = 1
_SMALL: Final = 64 * 1024
# Most slices fit: one write, one hash, one scan. Untouched pages of the ring cost nothing.
_BLOCK: Final = 1024 * 1024


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
        self._head = memoryview(bytearray(12))
        self._ring = memoryview(bytearray(_BLOCK + limit))
        self._buffer = memoryview(bytearray(max(limit, _SMALL)))
        self._waited = 0.0
        self._got = 0
        self._head_got = 0
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
        self._receive(self._head[:6], in_message)
        kind, length = self._announced()
        body = self._buffer[:length]
        self._receive(body, True)
        if kind == ABORT:
            raise Aborted(None, "the peer aborted")
        return kind, body

    def _announced(self) -> tuple[int, int]:
        """Type and length in the six bytes of the header, judged."""
        kind = self._head[0]
        length = int.from_bytes(self._head[2:6], "big")
        if kind not in KNOWN_TYPES:
            raise Aborted(UNRECOGNISED_PDU, f"PDU of type {kind:#04x}")
        if length > (self._limit if kind == P_DATA else _SMALL) or (length < 4):
            raise Aborted(INVALID_PARAMETER, f"PDU of type {kind} announces {length} bytes")
        return kind, length

    def blocks(self, context_id: int, rest: memoryview) -> Iterator[memoryview]:
        """The dataset that follows, its fragments joined into blocks of about a megabyte.

        Values are received side by side, so that joining costs nothing. Each block is valid until
        the next one is asked for. ``rest`` is what the last PDU held besides the command set.
        """
        ring, at, last = self._ring, 0, False
        while not last:
            if not len(rest):
                value, last, room = self._data_header(context_id)
                if at + value > len(ring):
                    yield ring[:at]
                    at = 0
                self._receive(ring[at : at + value], True)
                at += value
                if room:
                    rest = self._buffer[:room]
                    self._receive(rest, True)
            while len(rest):
                if last:
                    raise Aborted(INVALID_PARAMETER, "a fragment behind the last one")
                value, last = fragment(rest, context_id)
                if at + value > len(ring):
                    yield ring[:at]
                    at = 0
                ring[at : at + value] = rest[6 : 6 + value]
                at += value
                rest = rest[6 + value :]
            if at >= _BLOCK and not last:
                yield ring[:at]
                at = 0
        if at:
            yield ring[:at]

    def _data_header(self, context_id: int) -> tuple[int, bool, int]:
        """Header of the next P-DATA-TF and of its first PDV, in one read.

        Returns the value's length, whether it is the last, and how much follows it in the PDU.
        """
        self._judge(True)
        head = self._head
        self._receive(head, True, enough=6)
        kind, length = self._announced()
        if kind == ABORT:
            raise Aborted(None, "the peer aborted")
        if kind != P_DATA:
            raise Aborted(UNEXPECTED_PDU, f"PDU of type {kind} inside a message")
        if length < 6:
            raise Aborted(INVALID_PARAMETER, f"a P-DATA-TF of {length} bytes")
        self._receive(head[self._head_got :], True)
        value, last = fragment(head[6:], context_id, length)
        return value, last, length - 6 - value

    def _receive(self, target: memoryview, in_message: bool, enough: int = 0) -> None:
        """Fill ``target``; with ``enough`` a pause of the peer ends it after so many bytes."""
        got, size = 0, len(target)
        self._head_got = size
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
            if enough and got >= enough:
                self._head_got = got
                return

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


def fragment(data: memoryview, context_id: int, size: int | None = None) -> tuple[int, bool]:
    """Length of the value of the dataset fragment at the start of ``data``; whether it is the last.

    ``size`` is what the PDU holds from here on, where ``data`` is not all of it.
    """
    size = len(data) if size is None else size
    if size < 6:
        raise Aborted(INVALID_PARAMETER, "a truncated PDV")
    length = int.from_bytes(data[:4], "big")
    if length < 2 or length + 4 > size:
        raise Aborted(INVALID_PARAMETER, f"a PDV of {length} bytes in {size - 4}")
    if data[5] & 1 or data[4] != context_id:
        raise Aborted(INVALID_PARAMETER, "a fragment that does not belong to the dataset")
    return length - 2, bool(data[5] & 2)
