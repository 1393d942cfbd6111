"""The web application with a token, and instances in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
import uvicorn
from starlette.testclient import TestClient

from ennead.app.web import create_app
from ennead.database import Database
from ennead.security import SYSTEM, Role, tokens
from ennead.settings import Settings
from ennead_pacs.ingest import Ingest


@dataclass(frozen=True)
class StoredSeries:
    study: str
    series: str
    instances: list[str]
    files: list[Path]

    @property
    def url(self) -> str:
        return f"/dicom-web/studies/{self.study}/series/{self.series}"

    def instance_url(self, index: int = 0) -> str:
        return f"{self.url}/instances/{self.instances[index]}"


@pytest.fixture
def stored(ingest: Ingest) -> Callable[[list[Path]], StoredSeries]:
    """Store the files of one series."""

    def store(files: list[Path]) -> StoredSeries:
        headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
        for file in files:
            ingest.store(file, source="test")
        return StoredSeries(
            headers[0].StudyInstanceUID,
            headers[0].SeriesInstanceUID,
            [h.SOPInstanceUID for h in headers],
            files,
        )

    return store


@pytest.fixture
def token(database: Database) -> Callable[[str], str]:
    def make(role: str) -> str:
        with database.begin() as connection:
            return tokens.create(connection, SYSTEM, name=f"test-{role}", roles={Role(role)})

    return make


@pytest.fixture
def client(
    settings: Settings, database: Database, token: Callable[[str], str]
) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {token('admin')}"}
    with TestClient(create_app(settings), headers=headers) as opened:
        yield opened


@pytest.fixture
def serve(database: Database) -> Iterator[Callable[[Settings], str]]:
    """Put the application behind a real HTTP server; gives its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(settings: Settings) -> str:
        config = uvicorn.Config(create_app(settings), port=0, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 30
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def address(settings: Settings, serve: Callable[[Settings], str]) -> str:
    """A real HTTP server, for peers that bring their own client."""
    return serve(settings)


def multipart_body(files: list[bytes], boundary: str = "BBB") -> tuple[bytes, dict[str, str]]:
    parts = [
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + data + b"\r\n"
        for data in files
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return body, {"Content-Type": kind}


@pytest.fixture
def stow_request() -> Callable[..., tuple[bytes, dict[str, str]]]:
    """Body and headers of a STOW-RS request."""
    return multipart_body


@pytest.fixture
def parts_of() -> Callable[[bytes, str], list[tuple[dict[str, str], bytes]]]:
    """Split a multipart answer: headers and body of each part, lengths checked."""

    def split(body: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
        boundary = content_type.partition("boundary=")[2].strip('"').encode()
        opening, *pieces, closing = (b"\r\n" + body).split(b"\r\n--" + boundary)
        assert (opening, closing) == (b"", b"--\r\n")
        found = []
        for piece in pieces:
            head, _, payload = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            lines = (line.split(": ", 1) for line in head.decode().split("\r\n"))
            headers = {name.lower(): value for name, value in lines}
            assert int(headers["content-length"]) == len(payload)
            found.append((headers, payload))
        return found

    return split
