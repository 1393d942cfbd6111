"""Fetching weights from a URL or a file: resumable, watched, and checked before use."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ennead.errors import (
    LimitExceeded,
    WeightsDigestMismatch,
    WeightsFetchFailed,
)
from ennead_models.manifest import Weights
from ennead_models.weights.store import BLOCK, WeightsProgress, WeightsStore, silent

_AGAIN = "Repeat the command; it goes on where it stopped."


def fetch_weights(
    store: WeightsStore,
    weights: Weights,
    source: str | Path = "",
    *,
    timeout_s: float = 60.0,
    progress: WeightsProgress = silent,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Bring weights into the store.

    Parameters
    ----------
    source : str or Path
        A path, ``file://…``, or ``http(s)://…``; "" takes the manifest's own URL.
    timeout_s : float
        Seconds without a byte after which it gives up.
    cancelled : callable
        Asked for every block; when true, what has come is kept.

    Raises
    ------
    WeightsDigestMismatch
        Other bytes, or another length, than pinned. What came is kept as ``.rejected``.
    WeightsFetchFailed
        No address, not reachable, broken off or cancelled; a repeat resumes.
    LimitExceeded
        Larger than ``models.weights_limit_bytes``.
    """
    if store.has(weights.sha256):
        return store.path(weights.sha256)
    if weights.size_bytes > store.limit_bytes:
        raise LimitExceeded(
            f"The weights have {weights.size_bytes} bytes; at most {store.limit_bytes} are fetched "
            "(models.weights_limit_bytes). Raise the setting if that is meant."
        )
    address = str(source) or weights.url
    scheme = urllib.parse.urlsplit(address).scheme.lower()
    if scheme in ("http", "https"):
        with store.lock(weights.sha256):
            return _download(store, weights, address, timeout_s, progress, cancelled)
    if not address or (scheme not in ("", "file") and not Path(address).exists()):
        raise WeightsFetchFailed(
            f"Weights come from a path, file://, http:// or https://; got {address!r}. Name one: "
            "ennead models fetch ID --from ADDRESS."
        )
    path = urllib.request.url2pathname(urllib.parse.urlsplit(address).path)
    file = Path(path if scheme == "file" else address).expanduser()
    if not file.is_file():
        raise WeightsFetchFailed(f"{file} is not a file on this machine.")
    return store.add(file, weights, progress)


def _download(
    store: WeightsStore,
    weights: Weights,
    url: str,
    timeout_s: float,
    progress: WeightsProgress,
    cancelled: Callable[[], bool],
) -> Path:
    part = store.part(weights.sha256)
    have = part.stat().st_size if part.exists() else 0
    if have > weights.size_bytes:
        part.unlink()
        have = 0
    if have < weights.size_bytes:
        try:
            with _open(url, have, timeout_s) as answer:
                if have and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                    have = 0  # the server does not resume; begin anew
                _receive(answer, part, have, weights, progress, cancelled)
        except (OSError, http.client.HTTPException) as error:
            kept = part.stat().st_size if part.exists() else 0
            raise WeightsFetchFailed(
                f"{url} broke off after {kept} of {weights.size_bytes} bytes: "
                f"{getattr(error, 'reason', None) or error or type(error).__name__}. {_AGAIN}"
            ) from error
    return _judge(store, part, weights, url)


def _open(url: str, have: int, timeout_s: float) -> Any:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    opener = urllib.request.build_opener(_WebOnly())
    try:
        return opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            raise WeightsFetchFailed(
                f"{url} answered {error.code} {error.reason}. Check the address, or fetch the "
                "file by other means and name it: ennead models fetch ID --from FILE."
            ) from error


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to http and https only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise WeightsFetchFailed(f"{req.full_url} redirects to {newurl!r}; it is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _receive(
    answer: Any,
    part: Path,
    have: int,
    weights: Weights,
    progress: WeightsProgress,
    cancelled: Callable[[], bool],
) -> None:
    with part.open("r+b" if have else "wb") as writer:
        writer.seek(have)
        done = have
        while done <= weights.size_bytes:
            if cancelled():
                raise WeightsFetchFailed(f"Fetching was cancelled after {done} bytes. {_AGAIN}")
            block = answer.read(min(BLOCK, weights.size_bytes - done + 1))
            if not block:
                break
            writer.write(block)
            done += len(block)
            progress(min(done, weights.size_bytes), weights.size_bytes)
        writer.truncate()
        writer.flush()
        os.fsync(writer.fileno())
    if done < weights.size_bytes:
        raise ConnectionError("the connection ended early")


def _judge(store: WeightsStore, part: Path, weights: Weights, url: str) -> Path:
    size = part.stat().st_size
    with part.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if size == weights.size_bytes and got == weights.sha256:
        return store.accept(part, weights.sha256)
    found = f"more than {weights.size_bytes} bytes" if size > weights.size_bytes else got
    rejected = store.reject(part, weights.sha256)
    raise WeightsDigestMismatch(
        f"{url} is not the file that the model pins: expected SHA-256 {weights.sha256}, got "
        f"{found}. It is kept aside as {rejected} and never used. If the publisher changed the "
        "file, that is a new version of the model; else fetch it again."
    )
