"""The decoder's sandbox, and what never reaches it."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from ennead.errors import CodestreamMismatch, ServiceError, Undecodable
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.prepare.pixels import PixelLayout, read_layout
from ennead_pacs.rendering.codestream import check_codestream
from ennead_pacs.rendering.pool import DecoderPool

Make = Callable[..., list[Path]]


def compressed(series_of: Make, syntax: str) -> tuple[PixelLayout, bytes]:
    (path,) = series_of(1, transfer_syntax=syntax)
    with Part10(path) as file:
        layout = read_layout(file)
    assert layout is not None
    frames = generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)
    return layout, next(frames)


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    made = DecoderPool(1)
    yield made
    made.close()


def worker_pid(pool: DecoderPool) -> int:
    (decoder,) = pool._free
    return decoder.process.pid


def test_the_worker_has_given_everything_up(pool: DecoderPool, series_of: Make) -> None:
    layout, data = compressed(series_of, JPEGLSLossless)
    pool.decode(layout, data)
    pid = worker_pid(pool)
    limits = {
        line[:25].strip(): line[26:].split()[0]
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
    }
    open_files = [int(n) for n in os.listdir(f"/proc/{pid}/fd")]
    assert int(limits["Max open files"]) == len(open_files) == max(open_files) + 1
    assert limits["Max file size"] == "0"
    assert limits["Max processes"] == "0"
    assert int(limits["Max address space"]) < 4 * 1024**3
    status = Path(f"/proc/{pid}/status").read_text()
    if os.geteuid() == 0:
        assert "Uid:\t65534\t65534\t65534\t65534" in status
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 200 * 1024


def test_a_lying_code_stream_cannot_take_more_than_the_bound(
    pool: DecoderPool, series_of: Make
) -> None:
    """Straight into the sandbox, past the header check (hostile inputs, case 24)."""
    layout, data = compressed(series_of, JPEG2000Lossless)
    lying = bytearray(data)
    struct.pack_into(">LL", lying, 8, 60_000, 60_000)
    struct.pack_into(">LL", lying, 24, 60_000, 60_000)
    pool.warm()
    peak: list[int] = []
    done = threading.Event()

    def watch(pid: int) -> None:
        while not done.is_set():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return
            peak.append(int(status.partition("VmHWM:")[2].split()[0]))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch, args=(worker_pid(pool),))
    watcher.start()
    with pytest.raises(Undecodable):
        pool.decode(layout, bytes(lying))
    done.set()
    watcher.join()
    assert max(peak) < 512 * 1024
    values, _ = pool.decode(layout, data)  # the pool serves on
    assert values.shape == (32, 32)


def test_a_killed_worker_is_replaced(pool: DecoderPool, series_of: Make) -> None:
    layout, data = compressed(series_of, RLELossless)
    first, _ = pool.decode(layout, data)
    pid = worker_pid(pool)
    os.kill(pid, 9)
    again, _ = pool.decode(layout, data)
    np.testing.assert_array_equal(first, again)
    assert worker_pid(pool) != pid


def test_garbage_is_an_error_and_the_worker_lives(pool: DecoderPool, series_of: Make) -> None:
    layout, data = compressed(series_of, JPEGLSLossless)
    pool.decode(layout, data)
    pid = worker_pid(pool)
    for broken in (data[:60], data[:25] + os.urandom(400), b""):
        with pytest.raises(Undecodable, match="decoder refused"):
            pool.decode(layout, broken)
    assert worker_pid(pool) == pid


def test_a_closed_pool_says_so(series_of: Make) -> None:
    layout, data = compressed(series_of, RLELossless)
    pool = DecoderPool(1)
    pool.close()
    with pytest.raises(ServiceError):
        pool.decode(layout, data)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("change", [{"rows": 33}, {"columns": 31}, {"samples": 3}])
def test_sizes_must_agree(series_of: Make, syntax: str, change: dict[str, int]) -> None:
    layout, data = compressed(series_of, syntax)
    check_codestream(layout, data)
    with pytest.raises(CodestreamMismatch, match=r"\(32, 32, 1\)"):
        check_codestream(replace(layout, **change), data)  # type: ignore[arg-type]


def test_tiny_tiles_are_refused(series_of: Make) -> None:
    layout, data = compressed(series_of, JPEG2000Lossless)
    tiled = bytearray(data)
    struct.pack_into(">LL", tiled, 8, 30_000, 30_000)
    struct.pack_into(">LL", tiled, 24, 1, 1)
    with pytest.raises(CodestreamMismatch, match="900000000 tiles"):
        check_codestream(replace(layout, rows=30_000, columns=30_000), bytes(tiled))


def rle_head(*numbers: int) -> bytes:
    return struct.pack("<16L", *numbers, *[0] * (16 - len(numbers)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        rle_head(0),
        rle_head(1, 64) + bytes(500),  # one segment, two are needed
        rle_head(2, 64, 64) + bytes(500),  # overlapping
        rle_head(2, 64, 0) + bytes(500),
        rle_head(2, 200, 64) + bytes(500),
        rle_head(2, 64, 10_000) + bytes(500),  # outside
        rle_head(16, *[64] * 15) + bytes(500),
        rle_head(2, 64, 66) + bytes(500),  # 2 bytes cannot give 1024 pixels
    ],
)
def test_rle_headers_that_make_no_sense(series_of: Make, data: bytes) -> None:
    layout, good = compressed(series_of, RLELossless)
    check_codestream(layout, good)
    with pytest.raises(CodestreamMismatch):
        check_codestream(layout, data)


def test_syntaxes_without_a_decoder_are_told(series_of: Make) -> None:
    layout, data = compressed(series_of, RLELossless)
    with pytest.raises(Undecodable, match="no decoder"):
        check_codestream(replace(layout, transfer_syntax_uid="1.2.840.10008.1.2.4.100"), data)
    jpeg = replace(layout, transfer_syntax_uid="1.2.840.10008.1.2.4.50")
    for empty in (b"", b"\xff\xd8", b"\xff\xd8\xff\xda\x00\x04ab", b"\xff\xd8" + b"\xff" * 100):
        with pytest.raises(Undecodable, match="no start of a code stream"):
            check_codestream(jpeg, empty)
