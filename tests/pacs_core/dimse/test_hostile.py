"""Hostile peers, one test per case of the contract; after each, a legitimate one is served."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from sqlalchemy import select

from ennead.database import Database
from ennead.security import SYSTEM, Role, tokens
from ennead_pacs.index import find_instance, instances
from ennead_pacs.storage.part10 import read_meta

MakeObject = Callable[..., bytes]
Connect = Callable[..., Any]
STORE, ECHO = 1, 3


@pytest.fixture(autouse=True)
def still_serves(
    server: Any, dcmtk: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path,
    make_object: MakeObject, database: Database,
) -> Iterator[None]:  # fmt: skip
    """P0: threads, descriptors and slots as before; echo, store and find work."""
    descriptors = len(os.listdir("/proc/self/fd"))
    yield
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and associations():
        time.sleep(0.05)
    assert associations() == []
    # Two batches of open slots at most, and the server a test may have started besides.
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 90
    peer = ["127.0.0.1", str(server.port)]
    assert dcmtk("echoscu", *peer).returncode == 0
    file = tmp_path / "legitimate.dcm"
    file.write_bytes(make_object(1, study="7.7", series="7.7.7"))
    assert dcmtk("storescu", *peer, str(file)).returncode == 0
    with database.read() as connection:
        assert find_instance(connection, "7.7.7.1") is not None
    used = [p for p in server.settings.objects_dir.rglob("*.dcm") if p.stat().st_size]
    with database.read() as connection:
        assert len(used) == len(connection.execute(select(instances.c.id)).all())


def associations() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("association")]


def associated(server: Any, connect: Connect, wire: Any) -> Any:
    peer = connect(server)
    contexts = (
        wire.context(STORE, wire.CT, wire.EXPLICIT),
        wire.context(ECHO, wire.VERIFICATION, wire.IMPLICIT),
    )
    kind, _ = peer.send(wire.associate(*contexts)).read()
    assert kind == 2
    return peer


def dataset_of(part10: bytes) -> bytes:
    found = read_meta(part10)
    assert found is not None
    return part10[found[1] :]


def test_01_request_of_four_gigabytes(server: Any, connect: Connect) -> None:
    peer = connect(server).send(pack(">BxI", 1, 0xFFFFFFF0))
    assert peer.abort_reason() == 6


@pytest.mark.parametrize("length", [0, 3, 67])
def test_02_request_that_is_too_short(server: Any, connect: Connect, length: int) -> None:
    assert connect(server).send(pack(">BxI", 1, length) + bytes(length)).abort_reason() == 6


@pytest.mark.parametrize("kind", [4, 5, 7])
@pytest.mark.parametrize("length", [0, 3])
def test_02_short_pdus_inside(
    server: Any, connect: Connect, wire: Any, kind: int, length: int
) -> None:
    peer = associated(server, connect, wire)
    assert peer.send(pack(">BxI", kind, length) + bytes(length)).abort_reason() == 6


@pytest.mark.parametrize("kind", [0x09, 0xFF])
def test_03_unknown_pdu(server: Any, connect: Connect, wire: Any, kind: int) -> None:
    assert connect(server).send(pack(">BxI", kind, 4) + bytes(4)).abort_reason() == 1
    peer = associated(server, connect, wire)
    assert peer.send(pack(">BxI", kind, 4) + bytes(4)).abort_reason() == 1


def test_03_known_pdu_in_the_wrong_state(server: Any, connect: Connect, wire: Any) -> None:
    assert connect(server).send(pack(">BxI", 4, 6) + bytes(6)).abort_reason() == 2
    peer = associated(server, connect, wire)
    assert peer.send(wire.associate()).abort_reason() == 2


def test_04_half_a_request(start_server: Callable[..., Any], connect: Connect, wire: Any) -> None:
    quick = start_server(request_deadline_s=0.5)
    peer = connect(quick).send(wire.associate(wire.context(1, wire.CT, wire.EXPLICIT))[:90])
    started = time.monotonic()
    assert peer.read() == (0, b"")
    assert 0.3 < time.monotonic() - started < 3


def test_05_idle_connections(server: Any, connect: Connect, wire: Any) -> None:
    idle = [connect(server, "127.0.0.1") for _ in range(40)]
    time.sleep(0.3)
    assert associations() == []
    other = connect(server, "127.0.0.2")
    started = time.monotonic()
    request = wire.associate(wire.context(ECHO, wire.VERIFICATION, wire.IMPLICIT))
    assert other.send(request).read()[0] == 2
    assert time.monotonic() - started < 1
    closed = 0
    for peer in idle:
        peer.socket.settimeout(0.05)
        try:
            closed += peer.socket.recv(1) == b""
        except TimeoutError:
            continue
        except ConnectionResetError:
            closed += 1
    assert closed == 40 - server.settings.dicom.pending_connections_per_ip
    for peer in idle:
        peer.socket.close()


def test_06_slower_than_the_minimum(
    start_server: Callable[..., Any], connect: Connect, wire: Any, monkeypatch: pytest.MonkeyPatch,
    make_object: MakeObject,
) -> None:  # fmt: skip
    monkeypatch.setattr("ennead_pacs.dimse.reader._RATE_WINDOW_S", 2.0)
    slow = start_server()
    peer = associated(slow, connect, wire)
    peer.send(wire.pdv(STORE, 3, wire.store_request("1.2.3.1.1")))
    data = dataset_of(make_object(1))
    started = time.monotonic()
    peer.socket.settimeout(0.4)
    for position in range(60):
        try:
            # Whole little PDUs: the rate counts over PDUs, not within one.
            peer.socket.sendall(wire.pdv(STORE, 0, data[2 * position : 2 * position + 2]))
            answer = peer.socket.recv(10)
        except TimeoutError:
            continue
        break
    assert answer[0] == 7 and answer[9] == 0
    assert time.monotonic() - started < 10


def test_07_bad_contexts(server: Any, connect: Connect, wire: Any) -> None:
    request = wire.associate(wire.context(2, wire.CT, wire.EXPLICIT))
    assert connect(server).send(request).abort_reason() == 6
    request = wire.associate(user=wire.item(0x5F, b"") * 16_000)
    assert connect(server).send(request).abort_reason() == 6


@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [
        (b"ENNEAD", b"A\x01B", 3),
        (b"ENNEAD", "Đặng".encode(), 3),
        (b"ENNEAD", b"", 3),
        (b"ENN\nEAD", b"CT1", 7),
    ],
)
def test_08_titles(
    server: Any, connect: Connect, wire: Any, called: bytes, calling: bytes, reason: int
) -> None:
    request = wire.associate(
        wire.context(1, wire.CT, wire.EXPLICIT), called=called, calling=calling
    )
    kind, body = connect(server).send(request).read()
    assert (kind, body[1:4]) == (3, bytes((1, 1, reason)))


@pytest.mark.parametrize("announced", [0, 1, 500, 0xFFFFFFFF])
def test_09_pdv_lengths(server: Any, connect: Connect, wire: Any, announced: int) -> None:
    peer = associated(server, connect, wire)
    inner = pack(">IBB", announced, STORE, 3) + bytes(20)
    assert peer.send(pack(">BxI", 4, len(inner)) + inner).abort_reason() == 6


def test_09_pdu_beyond_the_announced_length(server: Any, connect: Connect, wire: Any) -> None:
    peer = associated(server, connect, wire)
    longest = server.settings.dicom.maximum_pdu_bytes
    assert peer.send(pack(">BxI", 4, longest + 2)).abort_reason() == 6


def test_10_command_sets(server: Any, connect: Connect, wire: Any) -> None:
    for bad in (
        wire.pdv(STORE, 0, b"dataset without a command"),
        wire.pdv(STORE, 1, bytes(10_000)) * 2,
        wire.pdv(STORE, 3, b"\x08\x00\x18\x00UI\x02\x001\x00"),
        wire.pdv(STORE, 3, b""),
        wire.pdv(99, 3, wire.echo_request()),
    ):
        assert associated(server, connect, wire).send(bad).abort_reason() == 6
    peer = associated(server, connect, wire)
    unknown = wire.command(e0002=wire.CT, e0100=0x0777, e0110=5, e0800=0x0101)
    assert peer.send(wire.pdv(STORE, 3, unknown)).status() == 0x0211
    assert peer.send(wire.pdv(ECHO, 3, wire.echo_request())).status() == 0


def test_11_aborts_in_the_middle_of_a_store(
    server: Any, connect: Connect, wire: Any, make_object: MakeObject, database: Database
) -> None:
    data = dataset_of(make_object(1))
    for turn in range(100):
        peer = associated(server, connect, wire)
        peer.send(wire.pdv(STORE, 3, wire.store_request("1.2.3.1.1")))
        peer.send(wire.pdv(STORE, 0, data[:-50]))
        if turn % 2:
            peer.send(pack(">BxI", 7, 4) + bytes(4))
        peer.socket.close()
    with database.read() as connection:
        assert find_instance(connection, "1.2.3.1.1") is None


def test_13_one_object_on_many_associations(
    server: Any, connect: Connect, wire: Any, make_object: MakeObject, database: Database
) -> None:
    same, other = dataset_of(make_object(1)), dataset_of(make_object(1, PixelData=bytes(128)))
    peers = [associated(server, connect, wire) for _ in range(30)]
    statuses: list[int] = []

    def send(peer: Any, data: bytes) -> None:
        peer.send(wire.pdv(STORE, 3, wire.store_request("1.2.3.1.1")))
        peer.send(wire.pdv(STORE, 2, data))
        statuses.append(peer.status())

    threads = [
        threading.Thread(target=send, args=(peer, other if n == 7 else same))
        for n, peer in enumerate(peers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for peer in peers:
        peer.socket.close()
    assert sorted(statuses) in ([0] * 29 + [0xC111], [0] + [0xC111] * 29)


def test_14_many_uids_in_a_query(server: Any, connect: Connect, wire: Any) -> None:
    find = "1.2.840.10008.5.1.4.1.2.2.1"
    peer = connect(server)
    assert peer.send(wire.associate(wire.context(5, find, wire.IMPLICIT))).read()[0] == 2
    request = wire.command(e0002=find, e0100=0x20, e0110=1, e0700=0, e0800=1)

    def implicit(group: int, element: int, value: bytes) -> bytes:
        value += b" " * (len(value) % 2)
        return pack("<HHI", group, element, len(value)) + value

    def ask(identifier: bytes) -> int:
        peer.send(wire.pdv(5, 1 | 2, request))
        for offset in range(0, len(identifier), 200_000):
            last = offset + 200_000 >= len(identifier)
            peer.send(wire.pdv(5, 2 if last else 0, identifier[offset : offset + 200_000]))
        status: int = peer.status()
        return status

    study = implicit(8, 0x52, b"STUDY")
    uids = b"\\".join(b"1.2.3.%d" % n for n in range(10_000))
    assert ask(study + implicit(0x20, 0xD, uids)) == 0
    assert ask(study + implicit(0x10, 0x10, b"*" * 1_000_000)) == 0xA900
    assert ask(study + implicit(0x10, 0x20, b"x" * 1_200_000)) == 0xA900
    assert ask(study + implicit(0x20, 0xD, b"1" * 66)) == 0xA900
    assert ask(b"junk!") == 0xC000


def test_16_identities(server: Any, connect: Connect, wire: Any, database: Database) -> None:
    with database.begin() as connection:
        token = tokens.create(connection, SYSTEM, name="ct", roles={Role.DEVICE})
    context = wire.context(1, wire.CT, wire.EXPLICIT)
    for secret, expected in ((b"wrong", 3), (b"", 3), (token.encode(), 2)):
        user = b"\x02\x00\x00\x02me" + len(secret).to_bytes(2, "big") + secret
        peer = connect(server).send(wire.associate(context, user=wire.item(0x58, user)))
        kind, body = peer.read()
        assert kind == expected
        if kind == 3:
            assert body[1:4] == bytes((1, 1, 1))
        peer.socket.close()


@pytest.mark.parametrize(
    "hello", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"]
)
def test_17_other_protocols(server: Any, connect: Connect, hello: bytes) -> None:
    started = time.monotonic()
    peer = connect(server).send(hello)
    assert peer.abort_reason() == 1
    assert peer.read() == (0, b"")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("uid", ["1.2.3/../../evil", "1.2\x003", "1.2\n3", "1." + "2" * 63])
def test_28_uids(
    server: Any, connect: Connect, wire: Any, make_object: MakeObject, uid: str
) -> None:
    peer = associated(server, connect, wire)
    good = dataset_of(make_object(1))
    plain = b"\x08\x00\x18\x00UI\x0a\x001.2.3.1.1\x00"
    assert plain in good
    raw = uid.encode() + b"\0" * (len(uid) % 2)
    data = good.replace(plain, b"\x08\x00\x18\x00UI" + pack("<H", len(raw)) + raw)
    peer.send(wire.pdv(STORE, 3, wire.store_request(uid)) + wire.pdv(STORE, 2, data))
    assert peer.status() == 0x0117
    assert not list(server.settings.home.parent.rglob("*evil*"))


def test_object_that_breaks_off_and_the_next_one(
    server: Any, connect: Connect, wire: Any, make_object: MakeObject
) -> None:
    peer = associated(server, connect, wire)
    data = dataset_of(make_object(1))
    request = wire.pdv(STORE, 3, wire.store_request("1.2.3.1.1"))
    for bad, status in ((data[:-2], 0xC000), (b"\xff" * 300, 0xC000), (data[:-140], 0xA900)):
        assert peer.send(request + wire.pdv(STORE, 2, bad)).status() == status
    wrong = wire.pdv(STORE, 3, wire.store_request("1.2.3.1.9"))
    assert peer.send(wrong + wire.pdv(STORE, 2, data)).status() == 0xA900
    assert peer.send(request + wire.pdv(STORE, 2, data)).status() == 0
