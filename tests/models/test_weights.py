"""Weights come by file or HTTP, resume, and are used only when they are the pinned bytes."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ennead.errors import (
    LimitExceeded,
    WeightsDigestMismatch,
    WeightsFetchFailed,
    WeightsMissing,
    WeightsUnsafe,
)
from ennead.testing.models import model_data
from ennead_models.manifest import ModelManifest, Weights
from ennead_models.weights import WeightsStore, fetch_weights, pack_folder, sha256_of

CONTENT = bytes(range(256)) * 12_000  # about 3 MB, three blocks
PINNED = Weights(sha256=hashlib.sha256(CONTENT).hexdigest(), size_bytes=len(CONTENT))


class Publisher(ThreadingHTTPServer):
    """Serves ``content``; may stop early, refuse ranges, or redirect."""

    content = CONTENT
    stop_after = 0
    ranges = True
    redirect = ""
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/weights.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range", "")
        server.asked.append(wanted)
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.stop_after] if server.stop_after else body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", 10_000_000)


def test_fetches_by_http_and_tells_how_far(store: WeightsStore, publisher: Publisher) -> None:
    told: list[tuple[int, int]] = []
    path = fetch_weights(
        store, PINNED, publisher.url, progress=lambda done, total: told.append((done, total))
    )
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o222 == 0
    assert len(told) >= 3
    assert told == sorted(told)
    assert told[-1] == (len(CONTENT), len(CONTENT))
    fetch_weights(store, PINNED, publisher.url)
    assert len(publisher.asked) == 1  # there already


def test_goes_on_where_it_broke_off(store: WeightsStore, publisher: Publisher) -> None:
    publisher.stop_after = 1_500_000
    with pytest.raises(WeightsFetchFailed, match=r"broke off after 1500000 of 3072000"):
        fetch_weights(store, PINNED, publisher.url)
    assert not store.has(PINNED.sha256)
    publisher.stop_after = 0
    assert fetch_weights(store, PINNED, publisher.url).read_bytes() == CONTENT
    assert publisher.asked == ["", "bytes=1500000-"]


def test_a_server_that_cannot_resume_is_asked_anew(
    store: WeightsStore, publisher: Publisher
) -> None:
    publisher.ranges = False
    store.root.mkdir()
    store.part(PINNED.sha256).write_bytes(b"x" * 500)
    assert fetch_weights(store, PINNED, publisher.url).read_bytes() == CONTENT


def test_cancelling_keeps_what_came(store: WeightsStore, publisher: Publisher) -> None:
    answers = iter([False, True])
    with pytest.raises(WeightsFetchFailed, match="cancelled after 1048576 bytes"):
        fetch_weights(store, PINNED, publisher.url, cancelled=lambda: next(answers))
    assert store.part(PINNED.sha256).stat().st_size == 1_048_576


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", CONTENT + b"more"])
def test_other_bytes_are_put_aside_and_never_used(
    store: WeightsStore, publisher: Publisher, content: bytes
) -> None:
    publisher.content = content
    with pytest.raises(WeightsDigestMismatch) as refused:
        fetch_weights(store, PINNED, publisher.url)
    for said in (PINNED.sha256, "got", "new version of the model"):
        assert said in refused.value.message
    assert not store.has(PINNED.sha256)
    assert (store.root / f"{PINNED.sha256}.rejected").exists()
    publisher.content = CONTENT
    assert fetch_weights(store, PINNED, publisher.url).read_bytes() == CONTENT


def test_redirections_stay_on_the_web(store: WeightsStore, publisher: Publisher) -> None:
    publisher.redirect = "ftp://127.0.0.1/weights.onnx"
    with pytest.raises(WeightsFetchFailed, match="it is not followed"):
        fetch_weights(store, PINNED, publisher.url)


@pytest.mark.parametrize("address", ["", "ftp://x/y", "gopher://x"])
def test_other_addresses_are_refused(store: WeightsStore, address: str) -> None:
    with pytest.raises(WeightsFetchFailed, match="Name one"):
        fetch_weights(store, PINNED, address)


def test_size_limit_is_known_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"models\.weights_limit_bytes"):
        fetch_weights(WeightsStore(tmp_path, 1000), PINNED, "http://127.0.0.1:9/never")


def test_a_file_of_this_machine(store: WeightsStore, tmp_path: Path) -> None:
    good, wrong, short = (tmp_path / name for name in ("good", "wrong", "short"))
    good.write_bytes(CONTENT)
    wrong.write_bytes(CONTENT[::-1])
    short.write_bytes(CONTENT[:100])
    with pytest.raises(WeightsDigestMismatch, match=sha256_of(wrong)):
        fetch_weights(store, PINNED, wrong)
    with pytest.raises(WeightsDigestMismatch, match="has 100 bytes; the model pins 3072000"):
        fetch_weights(store, PINNED, str(short))
    assert fetch_weights(store, PINNED, good.as_uri()).read_bytes() == CONTENT
    assert good.exists()


def test_missing_and_changed_weights_say_what_to_do(store: WeightsStore, tmp_path: Path) -> None:
    pins = {"sha256": PINNED.sha256, "size_bytes": PINNED.size_bytes}
    manifest = ModelManifest.model_validate(model_data(weights=pins))
    with pytest.raises(WeightsMissing, match="ennead models fetch bright"):
        store.require(manifest)
    (tmp_path / "good").write_bytes(CONTENT)
    path = fetch_weights(store, PINNED, tmp_path / "good")
    assert store.verify(manifest) == path
    path.chmod(0o644)
    path.write_bytes(b"other")
    with pytest.raises(WeightsDigestMismatch, match="changed on the disk"):
        store.verify(manifest)
    assert not store.has(PINNED.sha256)


def test_a_folder_packs_to_the_same_bytes_and_back(store: WeightsStore, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    (folder / "configs" / "__pycache__").mkdir(parents=True)
    (folder / "configs" / "a.json").write_text("{}")
    (folder / "configs" / "__pycache__" / "x.pyc").write_text("left out")
    pack_folder(folder, tmp_path / "one.zip")
    (folder / "configs" / "a.json").touch()
    pack_folder(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    sha = sha256_of(tmp_path / "one.zip")
    size = (tmp_path / "one.zip").stat().st_size
    store.add(tmp_path / "one.zip", Weights(sha256=sha, size_bytes=size))
    inside = store.unpacked(sha)
    assert [f.relative_to(inside).as_posix() for f in inside.rglob("*") if f.is_file()] == [
        "configs/a.json"
    ]


@pytest.mark.parametrize("trick", ["../out.txt", "/out.txt", "a\\..\\out.txt", "link", "bomb"])
def test_hostile_archives_are_not_unpacked(store: WeightsStore, tmp_path: Path, trick: str) -> None:
    store.root.mkdir()
    archive = store.path("f" * 64)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        entry = zipfile.ZipInfo(trick)
        if trick == "link":
            entry.external_attr = 0o120777 << 16
        writer.writestr(entry, b"\0" * (20_000_000 if trick == "bomb" else 10))
    with pytest.raises(WeightsUnsafe):
        store.unpacked("f" * 64)
    assert not (store.root / "unpacked" / ("f" * 64)).exists()
    assert not (tmp_path / "out.txt").exists()
    assert not list((store.root / "unpacked").iterdir())


def test_what_is_no_archive_is_refused(store: WeightsStore) -> None:
    store.root.mkdir()
    store.path("e" * 64).write_bytes(b"no zip")
    with pytest.raises(WeightsUnsafe, match="no zip archive"):
        store.unpacked("e" * 64)
