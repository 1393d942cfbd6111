"""A DIMSE server in this process, dcmtk against it, and raw sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from ennead.database import Database
from ennead.settings import Settings
from ennead_pacs.dimse.process import listen, run

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"


@dataclass
class Server:
    port: int
    settings: Settings
    stop: threading.Event
    thread: threading.Thread

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def start_server(settings: Settings, database: Database) -> Iterator[Callable[..., Server]]:
    """Start a server; keyword arguments are DICOM settings."""
    servers: list[Server] = []

    def start(**values: Any) -> Server:
        values = {"accept_any_ae": True, "acceptors": 1} | values
        changed = settings.model_copy(update={"dicom": settings.dicom.model_copy(update=values)})
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        stop, ready = threading.Event(), threading.Event()
        thread = threading.Thread(target=run, args=(changed, listener, ready.set, stop))
        thread.start()
        servers.append(Server(port, changed, stop, thread))
        assert ready.wait(20)
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    return start_server()


@pytest.fixture
def dcmtk() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a dcmtk program by its system path, never one of the same name in the environment."""

    def call(program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        path = f"/usr/bin/{program}"
        if not Path(path).exists():
            pytest.skip(f"{path} is not installed: apt install dcmtk")
        banner = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20)
        assert banner.stdout.startswith("$dcmtk:")  # OFFIS, not pynetdicom's of the same name
        return subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "TCP_NODELAY": "1"},
            **options,
        )

    return call


def item(kind: int, data: bytes) -> bytes:
    return pack(">BxH", kind, len(data)) + data


def context(identifier: int, abstract: str, *transfers: str) -> bytes:
    inner = pack("BBBB", identifier, 0, 0, 0) + item(0x30, abstract.encode())
    return item(0x20, inner + b"".join(item(0x40, t.encode()) for t in transfers))


def associate(
    *contexts: bytes,
    called: bytes = b"ENNEAD",
    calling: bytes = b"RAW",
    user: bytes = b"",
    application: bytes = b"1.2.840.10008.3.1.1.1",
) -> bytes:
    """A-ASSOCIATE-RQ, written out by hand from PS3.8 Table 9-11."""
    body = pack(">HH", 1, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    body += item(0x10, application) + b"".join(contexts)
    body += item(0x50, item(0x51, pack(">I", 16384)) + item(0x52, b"1.2.3") + user)
    return pack(">BxI", 1, len(body)) + body


def command(**values: int | str) -> bytes:
    """A command set from element numbers: ``command(e0100=0x30, e0800=0x0101)``."""
    body = b""
    for name in sorted(values):
        number, value = int(name[1:], 16), values[name]
        data = pack("<H", value) if isinstance(value, int) else value.encode()
        data += b"\0" * (len(data) % 2)
        body += pack("<HHI", 0, number, len(data)) + data
    return pack("<HHII", 0, 0, 4, len(body)) + body


def pdv(identifier: int, flags: int, data: bytes) -> bytes:
    inner = pack(">IBB", len(data) + 2, identifier, flags) + data
    return pack(">BxI", 4, len(inner)) + inner


@dataclass
class Raw:
    """A peer that speaks bytes."""

    socket: socket.socket
    received: bytes = field(default=b"")

    def send(self, data: bytes) -> Raw:
        self.socket.sendall(data)
        return self

    def read(self, timeout: float = 10.0) -> tuple[int, bytes]:
        """One PDU: type and body; type 0 when the connection was closed."""
        self.socket.settimeout(timeout)
        head = self._exactly(6)
        if len(head) < 6:
            return 0, b""
        return head[0], self._exactly(int.from_bytes(head[2:6], "big"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError:
                return b""
            if not part:
                return b""
            data += part
        return data

    def status(self) -> int:
        """Status of the next response message."""
        kind, body = self.read()
        assert kind == 4, (kind, body)
        position = body.index(pack("<HHI", 0, 0x0900, 2))
        return int.from_bytes(body[position + 8 : position + 10], "little")

    def abort_reason(self) -> int | None:
        """Reason of the A-ABORT that must come next."""
        kind, body = self.read()
        assert kind == 7, (kind, body)
        assert body[2] == 2
        return body[3]


@pytest.fixture
def connect() -> Iterator[Callable[[Server], Raw]]:
    peers: list[Raw] = []

    def make(server: Server, source: str = "127.0.0.1") -> Raw:
        peers.append(Raw(socket.create_connection(("127.0.0.1", server.port), 10, (source, 0))))
        return peers[-1]

    yield make
    for peer in peers:
        peer.socket.close()


class Wire:
    """The building blocks above, for tests (test modules cannot import each other)."""

    CT = CT
    VERIFICATION = VERIFICATION
    EXPLICIT = EXPLICIT
    IMPLICIT = IMPLICIT
    item = staticmethod(item)
    context = staticmethod(context)
    associate = staticmethod(associate)
    command = staticmethod(command)
    pdv = staticmethod(pdv)

    @staticmethod
    def store_request(uid: str, message: int = 1, sop_class: str = CT) -> bytes:
        return command(e0002=sop_class, e0100=1, e0110=message, e0700=0, e0800=1, e1000=uid)

    @staticmethod
    def echo_request(message: int = 1) -> bytes:
        return command(e0002=VERIFICATION, e0100=0x30, e0110=message, e0800=0x0101)


@pytest.fixture
def wire() -> type[Wire]:
    return Wire
