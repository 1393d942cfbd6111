"""Legal but unusual ways to cut messages into PDVs and PDUs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

from ennead.database import Database
from ennead_pacs.index import find_instance
from ennead_pacs.storage.part10 import read_meta

FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def inner(identifier: int, flags: int, data: bytes) -> bytes:
    return pack(">IBB", len(data) + 2, identifier, flags) + data


def pdu(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return pack(">BxI", 4, len(body)) + body


@pytest.fixture
def peer(server: Any, connect: Callable[..., Any], wire: Any) -> Any:
    raw = connect(server)
    contexts = (wire.context(1, wire.CT, wire.EXPLICIT), wire.context(3, FIND, wire.IMPLICIT))
    assert raw.send(wire.associate(*contexts)).read()[0] == 2
    return raw


def pieces(data: bytes, size: int) -> list[bytes]:
    cut = [data[i : i + size] for i in range(0, len(data), size)]
    return [inner(1, 2 if i == len(cut) - 1 else 0, part) for i, part in enumerate(cut)]


def with_the_command(command: bytes, data: bytes) -> bytes:
    head, tail = data[:100_000], data[100_000:]
    if not tail:
        return pdu(command, inner(1, 2, head))
    return pdu(command, inner(1, 0, head)) + b"".join(map(pdu, pieces(tail, 99_998)))


def one_each(size: int) -> Callable[[bytes, bytes], bytes]:
    return lambda command, data: pdu(command) + b"".join(map(pdu, pieces(data, size)))


def seven_each(command: bytes, data: bytes) -> bytes:
    parts = pieces(data, 2000)
    return pdu(command) + b"".join(pdu(*parts[i : i + 7]) for i in range(0, len(parts), 7))


def empty_first(command: bytes, data: bytes) -> bytes:
    return pdu(command) + pdu(inner(1, 0, b"")) * 3 + b"".join(map(pdu, pieces(data, 60_000)))


def empty_last(command: bytes, data: bytes) -> bytes:
    unfinished = [pdu(inner(1, 0, part[6:])) for part in pieces(data, 60_000)]
    return pdu(command) + b"".join(unfinished) + pdu(inner(1, 2, b""))


@pytest.mark.parametrize("rows", [8, 1000])
@pytest.mark.parametrize(
    "cut",
    [with_the_command, one_each(150_000), one_each(1024), seven_each, empty_first, empty_last],
)
def test_the_same_object_however_it_is_cut(
    peer: Any,
    wire: Any,
    make_object: Callable[..., bytes],
    database: Database,
    cut: Callable[[bytes, bytes], bytes],
    rows: int,
) -> None:
    pixels = bytes(range(256)) * (rows * rows * 2 // 256 + 1)
    part10 = make_object(1, Rows=rows, Columns=rows, PixelData=pixels[: rows * rows * 2])
    found = read_meta(part10)
    assert found is not None
    data = part10[found[1] :]
    command = inner(1, 3, wire.store_request("1.2.3.1.1"))
    assert peer.send(cut(command, data)).status() == 0
    assert peer.send(one_each(200_000)(command, data)).status() == 0
    with database.read() as connection:
        row = find_instance(connection, "1.2.3.1.1")
    assert row is not None and row.sha256 == hashlib.sha256(data).hexdigest()


def test_release_or_a_foreign_fragment_inside_a_message(
    server: Any, connect: Callable[..., Any], wire: Any
) -> None:
    request = pdu(inner(1, 3, wire.store_request("1.2.3.1.1")))
    for bad, reason in (
        (pack(">BxI", 5, 4) + bytes(4), 2),
        (pdu(inner(3, 0, b"abcd")), 6),
        (pdu(inner(1, 1, b"abcd")), 6),
        (pdu(inner(1, 2, b"abcd"), inner(1, 2, b"abcd")), 6),
        (pdu(inner(1, 0, b"abcd") + b"\0\0\0"), 6),
        (pack(">BxI", 4, 4) + bytes(4), 6),
    ):
        raw = connect(server)
        contexts = (wire.context(1, wire.CT, wire.EXPLICIT), wire.context(3, FIND, wire.IMPLICIT))
        assert raw.send(wire.associate(*contexts)).read()[0] == 2
        assert raw.send(request + bad).abort_reason() == reason


def test_cancel_of_a_query(peer: Any, wire: Any) -> None:
    level = pack("<HHI", 8, 0x52, 6) + b"STUDY "
    request = wire.command(e0002=FIND, e0100=0x20, e0110=7, e0700=0, e0800=1)
    cancel = wire.command(e0100=0x0FFF, e0120=7, e0800=0x0101)
    peer.send(pdu(inner(3, 3, request)) + pdu(inner(3, 2, level)) + pdu(inner(3, 3, cancel)))
    assert peer.status() == 0xFE00
    # A cancel that comes too late is passed over.
    peer.send(pdu(inner(3, 3, cancel)))
    peer.send(pdu(inner(3, 3, request)) + pdu(inner(3, 2, level)))
    assert peer.status() == 0
