"""A few decoder processes kept warm, each in the sandbox of :mod:`ennead_pacs.rendering.worker`."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ennead.errors import ServiceError, Undecodable
from ennead_pacs.prepare.pixels import PixelLayout

Samples = npt.NDArray[Any]

#: Wall-clock bound of one frame; the worker's own CPU limit is 30 s.
FRAME_SECONDS: Final = 40.0
_START_SECONDS: Final = 60.0
_AT_ONCE_SECONDS: Final = 0.5
_SCRIPT: Final = Path(__file__).with_name("worker.py")


class _Gone(Exception):
    """The worker ended or did not answer in time."""


class DecoderProcess:
    """One sandboxed decoder."""

    def __init__(self) -> None:
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", **threads},
            close_fds=True,
            cwd="/",
        )
        self._timeout = _START_SECONDS

    def decode(self, head: dict[str, Any], data: bytes) -> tuple[Samples, str]:
        """Samples and their photometric interpretation.

        Raises
        ------
        Undecodable
            The codec refused the data.
        _Gone
            The process is of no further use.
        """
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        encoded = json.dumps(head).encode()
        try:
            stdin.write(struct.pack("<II", len(encoded), len(data)) + encoded)
            stdin.write(data)
            stdin.flush()
        except OSError as error:
            raise _Gone("it ended") from error
        deadline = time.monotonic() + self._timeout
        self._timeout = FRAME_SECONDS
        number = stdout.fileno()
        head_length, body_length = struct.unpack("<II", _read(number, 8, deadline))
        answer = json.loads(bytes(_read(number, head_length, deadline)))
        if "error" in answer:
            raise Undecodable(
                f"The decoder refused the pixel data ({answer['error']}). The instance can be "
                "retrieved as it is."
            )
        body = _read(number, body_length, deadline)
        values = np.frombuffer(body, dtype=np.dtype(answer["dtype"])).reshape(answer["shape"])
        return values, answer["photometric"]

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class DecoderPool:
    """At most ``size`` decoders, started when first needed, used by any number of threads."""

    def __init__(self, size: int = 0) -> None:
        self.size = size or max(2, min(8, os.cpu_count() or 2))
        self._free: list[DecoderProcess] = []
        self._slots = threading.Semaphore(self.size)
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="decode")
        self._closed = False

    def decode(self, layout: PixelLayout, data: bytes) -> tuple[Samples, str]:
        """One frame, as :func:`ennead_pacs.rendering.decode_frames` gives it.

        Raises
        ------
        Undecodable
            The codec refused it, or passed its time or memory and was ended.
        """
        head = {
            name: getattr(layout, name)
            for name in (
                "transfer_syntax_uid",
                "rows",
                "columns",
                "samples",
                "bits_allocated",
                "bits_stored",
                "signed",
                "photometric",
            )
        }
        if len(data) > 0xFFFFFFFF:
            raise Undecodable("A compressed frame must be smaller than 4 GiB.")
        with self._slots:
            began = time.monotonic()
            try:
                return self._attempt(head, data)
            except _Gone as gone:
                reason = gone
            # A decoder that was killed while idle is noticed only now: try a fresh one, unless
            # this frame itself took the time.
            if time.monotonic() - began < _AT_ONCE_SECONDS:
                try:
                    return self._attempt(head, data)
                except _Gone as gone:
                    reason = gone
        raise Undecodable(
            f"The decoder was ended: {reason}. The frame needs more time or memory than one frame "
            "may; the instance can be retrieved as it is."
        ) from reason

    def _attempt(self, head: dict[str, Any], data: bytes) -> tuple[Samples, str]:
        decoder = self._take()
        try:
            result = decoder.decode(head, data)
        except Undecodable:
            self._give_back(decoder)
            raise
        except BaseException:
            decoder.close()
            raise
        self._give_back(decoder)
        return result

    def decode_all(self, layout: PixelLayout, frames: Sequence[bytes]) -> list[tuple[Samples, str]]:
        """Several frames of one instance, side by side."""
        if len(frames) == 1:
            return [self.decode(layout, frames[0])]
        return list(self._threads.map(lambda data: self.decode(layout, data), frames))

    def warm(self) -> None:
        """Start one decoder now, so that the first picture does not wait for it."""
        with self._slots:
            self._give_back(self._take())

    def close(self) -> None:
        """End every decoder that is not at work."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for decoder in free:
            decoder.close()
        self._threads.shutdown(wait=False)

    def _take(self) -> DecoderProcess:
        with self._lock:
            if self._closed:
                raise ServiceError("The decoders were shut down; the process is ending.")
            while self._free:
                decoder = self._free.pop()
                if decoder.process.poll() is None:
                    return decoder
                decoder.close()
        return DecoderProcess()

    def _give_back(self, decoder: DecoderProcess) -> None:
        with self._lock:
            if not self._closed:
                self._free.append(decoder)
                return
        decoder.close()


def _read(number: int, length: int, deadline: float) -> bytearray:
    buffer = bytearray(length)
    view = memoryview(buffer)
    filled = 0
    while filled < length:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([number], [], [], left)[0]:
            raise _Gone("it did not answer in time")
        got = os.readv(number, [view[filled:]])
        if got == 0:
            raise _Gone("it was stopped by its limits")
        filled += got
    return buffer


_shared: dict[int, DecoderPool] = {}
_shared_lock = threading.Lock()


def shared_pool() -> DecoderPool:
    """The pool of this process (a forked child gets its own)."""
    with _shared_lock:
        pool = _shared.get(os.getpid())
        if pool is None:
            pool = _shared[os.getpid()] = DecoderPool()
        return pool


def close_shared_pool() -> None:
    """End the decoders of this process; the next use starts new ones."""
    with _shared_lock:
        pool = _shared.pop(os.getpid(), None)
    if pool is not None:
        pool.close()
