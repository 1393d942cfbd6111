"""The table of files the web server serves, with their compressed variants."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import json
import mimetypes
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TEXT = {".js", ".mjs", ".css", ".html", ".svg", ".json", ".wasm", ".txt", ".map"}
HASHED = re.compile(
    r"(\.[0-9a-f]{16}\.js$|/[0-9a-f]{16}\.(wasm|woff2)$|^/portal/.+-[\w-]{8}\.\w+$)"
)
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def publish(dist: Path) -> dict[str, dict[str, Any]]:
    """Compress, describe, and write ``files.json`` (last, so that a reader sees a whole build)."""
    found: dict[str, Path] = {}
    for folder in ("viewer", "portal"):
        for file in (dist / folder).rglob("*"):
            if file.is_file() and file.suffix not in (".gz", ".br"):
                name = "/" + file.relative_to(dist / folder).as_posix()
                found[f"/{folder}{name}" if name == "/index.html" else name] = file
    with ThreadPoolExecutor(2) as pool:
        rows = pool.map(lambda item: _describe(dist, *item), sorted(found.items()))
        table = dict(zip(sorted(found), rows, strict=True))
    fresh = dist / "files.json.new"
    fresh.write_text(json.dumps(table, indent=0), encoding="utf-8")
    fresh.rename(dist / "files.json")
    return table


def _describe(dist: Path, address: str, file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    row: dict[str, Any] = {
        "file": file.relative_to(dist).as_posix(),
        "type": TYPES.get(file.suffix)
        or mimetypes.guess_type(file.name)[0]
        or "application/octet-stream",
        "size": len(content),
        "etag": digest[:32],
        "immutable": bool(HASHED.search(address)),
        "encodings": [],
    }
    if file.suffix == ".html":
        row["scripts"] = [
            "sha256-" + base64.b64encode(hashlib.sha256(body).digest()).decode()
            for body in INLINE.findall(content)
        ]
    if file.suffix in TEXT and len(content) > 1024:
        row["encodings"] = _compress(file, content)
    return row


def _compress(file: Path, content: bytes) -> list[str]:
    made = ["gzip"]
    squeezed = file.with_name(file.name + ".gz")
    if not _is_newer(squeezed, file):
        squeezed.write_bytes(gzip.compress(content, 7, mtime=0))
    if importlib.util.find_spec("brotli") is not None:
        import brotli

        made.insert(0, "br")
        squeezed = file.with_name(file.name + ".br")
        if not _is_newer(squeezed, file):
            squeezed.write_bytes(brotli.compress(content, quality=6))
    return made


def _is_newer(made: Path, source: Path) -> bool:
    return made.exists() and made.stat().st_mtime_ns >= source.stat().st_mtime_ns
