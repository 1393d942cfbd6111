"""A small HTTP client of our own server, and STOW-RS of files with it (PS3.18 §10.5)."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_BATCH_BYTES: Final = 16 * 1024 * 1024
_FAILED: Final = "00081198"
_MAGIC_AT: Final = 128


class Client:
    """JSON requests with a bearer token."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {token}"}
        # never through a proxy: the server is this machine
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON body of a GET."""
        return self._send(urllib.request.Request(self._base_url + path, headers=self._headers))

    def post(self, path: str, body: bytes, content_type: str) -> tuple[int, Any]:
        """Status and JSON body of a POST."""
        headers = self._headers | {"Content-Type": content_type}
        headers["Accept"] = "application/dicom+json"
        request = urllib.request.Request(self._base_url + path, body, headers, method="POST")
        return self._send(request)

    def _send(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with self._opener.open(request, timeout=300) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        try:
            return status, json.loads(body)
        except ValueError:
            return status, None


@dataclass(slots=True)
class Stored:
    """What became of the files of a folder."""

    accepted: int = 0
    refused: int = 0
    skipped: int = 0


def dicom_files(folder: Path) -> tuple[list[Path], int]:
    """Part 10 files under ``folder`` in the order of their names, and how many others there are."""
    every = sorted(f for f in folder.rglob("*") if f.is_file())
    dicom = [f for f in every if _is_part10(f)]
    return dicom, len(every) - len(dicom)


def store(
    client: Client, files: Sequence[Path], on_stored: Callable[[int], None] = lambda _: None
) -> Stored:
    """Send files in batches; ``on_stored`` is told how many more were answered."""
    result = Stored()
    for batch in _batches(files):
        boundary = f"ennead-{secrets.token_hex(12)}"
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + f.read_bytes() + b"\r\n" for f in batch)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        status, answer = client.post(
            "/dicom-web/studies", body + f"--{boundary}--\r\n".encode(), kind
        )
        failed = _failures(answer) if status in (200, 202, 409) else len(batch)
        result.refused += min(failed, len(batch))
        result.accepted += len(batch) - min(failed, len(batch))
        on_stored(len(batch))
    return result


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.stat().st_size
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _failures(answer: Any) -> int:
    datasets = answer if isinstance(answer, list) else [answer]
    found = [d.get(_FAILED, {}).get("Value", []) for d in datasets if isinstance(d, dict)]
    return sum(len(items) for items in found)


def _is_part10(file: Path) -> bool:
    with file.open("rb") as opened:
        opened.seek(_MAGIC_AT)
        return opened.read(4) == b"DICM"
