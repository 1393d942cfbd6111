"""The receive process is killed while it works; what it acknowledged is there afterwards."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ennead.database import Database
from ennead.settings import Settings
from ennead_pacs.index import find_instance
from ennead_pacs.storage.part10 import read_meta
from ennead_pacs.storage.sweep import sweep

RECEIVER = textwrap.dedent(
    """
    import sys, threading
    from ennead.settings import Settings
    from ennead_pacs.dimse.process import serve

    home, url, port = sys.argv[1:]
    dicom = {"port": int(port), "accept_any_ae": True}
    settings = Settings.load(home, database={"url": url}, dicom=dicom)
    serve(settings, lambda: print("ready", flush=True), threading.Event())
    """
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def dataset_of(part10: bytes) -> bytes:
    found = read_meta(part10)
    assert found is not None
    return part10[found[1] :]


@pytest.mark.parametrize("seed", range(4))
def test_every_acknowledged_object_survives(
    settings: Settings, database: Database, make_object: Callable[..., bytes], wire: Any,
    tmp_path: Path, seed: int,
) -> None:  # fmt: skip
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVER, str(settings.home), settings.database_url, str(port)],
        stdout=subprocess.PIPE,
    )
    acknowledged: dict[str, str] = {}
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        killed_at = time.monotonic() + random.Random(seed).uniform(0.05, 0.6)
        killed = False
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(wire.associate(wire.context(1, wire.CT, wire.EXPLICIT)))
            stream = peer.makefile("rb")

            def pdu() -> bytes:
                head = stream.read(6)
                return head + stream.read(int.from_bytes(head[2:6], "big")) if head else b""

            assert pdu()[0] == 2
            for number in range(1, 5000):
                data = dataset_of(make_object(number, Rows=64, Columns=64, PixelData=bytes(8192)))
                uid = f"1.2.3.1.{number}"
                if not killed and time.monotonic() > killed_at:
                    # Between the two fragments of an object, or while the second is worked on.
                    half = len(data) // 2 * (seed % 2)
                    peer.sendall(wire.pdv(1, 3, wire.store_request(uid)))
                    peer.sendall(wire.pdv(1, 2, data) if not half else wire.pdv(1, 0, data[:half]))
                    os.kill(process.pid, signal.SIGKILL)
                    killed = True
                else:
                    peer.sendall(wire.pdv(1, 3, wire.store_request(uid)) + wire.pdv(1, 2, data))
                try:
                    answer = pdu()
                except ConnectionResetError:
                    break
                if not answer:
                    break
                assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in answer
                acknowledged[uid] = hashlib.sha256(data).hexdigest()
            stream.close()
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
    assert acknowledged

    swept = sweep(settings, database)
    assert swept.lost == 0
    with database.read() as connection:
        for uid, sha256 in acknowledged.items():
            row = find_instance(connection, uid)
            assert row is not None, uid
            content = (settings.objects_dir / row.location).read_bytes()
            assert hashlib.sha256(content[row.dataset_offset :]).hexdigest() == sha256
    assert len(list(settings.objects_dir.rglob("*.dcm"))) == swept.checked
    assert len(acknowledged) <= swept.checked <= len(acknowledged) + 1
