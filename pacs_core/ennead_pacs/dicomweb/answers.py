"""Answers of DICOMweb: prepared bytes, multipart, single parts with Range and ETag."""

from __future__ import annotations

import gzip
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

#: Whole bodies up to this size go out in one piece; larger ones are streamed from disk.
WHOLE_LIMIT: Final = 16 * 1024**2
CHUNK: Final = 1024**2
RANGES_LIMIT: Final = 16

#: Nothing that a peer stored may run in a browser.
DOWNLOAD_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-cache",
}
_RANGE: Final = re.compile(r"(\d*)-(\d*)")


class Pieces(Response):
    """A body of known pieces, sent without joining or copying them."""

    def __init__(
        self, pieces: Iterable[bytes], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(b"", media_type=media_type, headers=dict(headers or {}))
        self.pieces = list(pieces)
        self.headers["content-length"] = str(sum(map(len, self.pieces)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and every piece."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        pieces = self.pieces if scope["method"] != "HEAD" else []
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Part:
    """One part of a multipart answer: bytes, or a file that is read when its turn comes."""

    def __init__(self, content_type: str, body: bytes | Path, location: str = "") -> None:
        self.body = body
        self.size = body.stat().st_size if isinstance(body, Path) else len(body)
        place = f"Content-Location: {location}\r\n" if location else ""
        self.head = (
            f"Content-Type: {content_type}\r\nContent-Length: {self.size}\r\n{place}\r\n"
        ).encode("latin-1")


def multipart(parts: list[Part], media_type: str, etag: str = "") -> Response:
    """``multipart/related`` (RFC 2387); streamed when large, never compressed."""
    boundary = secrets.token_hex(16)
    opening, closing = f"--{boundary}\r\n".encode(), f"\r\n--{boundary}--\r\n".encode()
    kind = f'multipart/related; type="{media_type}"; boundary={boundary}'
    size = sum(len(opening) + len(p.head) + p.size + 2 for p in parts) - 2 + len(closing)

    def pieces() -> Iterator[bytes]:
        separator = opening
        for part in parts:
            yield separator + part.head
            if isinstance(part.body, Path):
                yield from _chunks(part.body, 0, part.size)
            else:
                yield part.body
            separator = b"\r\n" + opening
        yield closing

    headers = {**DOWNLOAD_HEADERS, "ETag": etag} if etag else DOWNLOAD_HEADERS
    if size <= WHOLE_LIMIT:
        return Pieces(pieces(), kind, headers)
    return StreamingResponse(
        pieces(), media_type=kind, headers={**headers, "Content-Length": str(size)}
    )


def not_modified(request: Request, etag: str) -> Response | None:
    """304 or 412 where the request's conditions say so (RFC 9110 §13)."""
    status = _condition(request, etag)
    return None if status is None else Response(status_code=status, headers={"ETag": etag})


def single_file(
    request: Request, path: Path, size: int, etag: str, media_type: str, filename: str
) -> Response:
    """A stored file with ETag, conditional requests and byte ranges (RFC 9110 §13, §14).

    One range gives 206; two to sixteen are answered with the whole, as a server may; more are
    refused with 416.
    """
    tag = f'"{etag}"'
    headers = {
        **DOWNLOAD_HEADERS,
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{filename}"',
    }
    early = _condition(request, tag)
    if early is not None:
        return Response(status_code=early, headers={"ETag": tag})
    start, stop, status = 0, size, 200
    asked = request.headers.get("range", "")
    if asked.startswith("bytes=") and request.headers.get("if-range", tag) == tag:
        ranges = asked[6:].split(",")
        span = _span(ranges[0].strip(), size) if len(ranges) == 1 else (0, size)
        if len(ranges) > RANGES_LIMIT or span is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        if len(ranges) == 1:
            start, stop, status = *span, 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    if stop - start <= WHOLE_LIMIT:
        body = b"".join(_chunks(path, start, stop))
        return Response(body, status, headers, media_type)
    headers["Content-Length"] = str(stop - start)
    return StreamingResponse(_chunks(path, start, stop), status, headers, media_type)


def prepared_json(
    request: Request, body: bytes, compressed: bytes | None, etag: str, media_type: str
) -> Response:
    """Prepared JSON: 304 when known, gzip when accepted."""
    headers = {
        "ETag": f'W/"{etag}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding",
    }
    if _condition(request, headers["ETag"]) == 304:
        return Response(status_code=304, headers=headers)
    if compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = compressed
    return Response(body, 200, headers, media_type)


def json_answer(request: Request, body: bytes, media_type: str, **headers: str) -> Response:
    """JSON made for this request."""
    if len(body) > 4096 and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(
        body,
        200,
        {"Cache-Control": "private, no-cache", "Vary": "Accept, Accept-Encoding", **headers},
        media_type,
    )


def _condition(request: Request, tag: str) -> int | None:
    """412 or 304 where the request's conditions say so, else None."""
    match = request.headers.get("if-match")
    if match is not None and match.strip() != "*" and tag not in _tags(match):
        return 412
    known = request.headers.get("if-none-match")
    if known is not None and (known.strip() == "*" or tag in _tags(known)):
        return 304
    return None


def _tags(value: str) -> list[str]:
    return [t.strip() for t in value[:4096].split(",")]


def _span(text: str, size: int) -> tuple[int, int] | None:
    match = _RANGE.fullmatch(text)
    if match is None or not any(match.groups()) or len(text) > 40:
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None


def _chunks(path: Path, start: int, stop: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = stop - start
        while left > 0:
            chunk = file.read(min(left, WHOLE_LIMIT if left <= WHOLE_LIMIT else CHUNK))
            if not chunk:
                raise OSError("a stored file became shorter while it was sent")
            left -= len(chunk)
            yield chunk
