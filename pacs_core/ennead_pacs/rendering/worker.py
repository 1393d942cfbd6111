"""The decoder that runs alone: a script, started by :mod:`ennead_pacs.rendering.pool`.

Reads requests from standard input and answers on standard output until the input ends. Before the
first request every codec is loaded; then the process gives up opening files or sockets, writing
files, growing past its memory bound and, where it was started by root, its user.

A message is two lengths (``<II``), a JSON head and a body. Request: Image Pixel attributes and the
code stream. Answer: ``{"dtype", "shape", "photometric"}`` and the samples, or ``{"error"}``.
"""

from __future__ import annotations

import json
import math
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import numpy.typing as npt
from rle.rle import decode_frame as decode_rle_frame

Samples = npt.NDArray[Any]
Head = dict[str, Any]

JPEG_DCT = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55))
JPEG_LOSSLESS = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (57, 70))
JPEG_LS = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (80, 81))
JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
RLE = "1.2.840.10008.1.2.5"

MEMORY_BYTES = 512 * 1024**2
CPU_SECONDS = 30

# Attribute access loads a codec; afterwards no file can be opened.
_jpeg = imagecodecs.jpeg8_decode
_jpeg_lossless = imagecodecs.jpegsof3_decode
_jpeg_ls = imagecodecs.jpegls_decode
_jpeg_2000 = imagecodecs.jpeg2k_decode


def decode(head: Head, data: bytes) -> tuple[Samples, str]:
    """One frame as ``[rows, columns]`` or ``[rows, columns, samples]``, and its photometry."""
    syntax, photometric = head["transfer_syntax_uid"], head["photometric"]
    if syntax in JPEG_DCT:
        if head["samples"] == 1:
            return _jpeg(data), photometric
        space = _jpeg_colour_space(photometric, data)
        return _jpeg(data, colorspace=space, outcolorspace="RGB"), "RGB"
    if syntax in JPEG_LOSSLESS:
        return _jpeg_lossless(data), photometric
    if syntax in JPEG_LS:
        return _jpeg_ls(data), photometric
    if syntax in JPEG_2000:
        # The code stream itself says whether a component transform is to be undone.
        coloured = photometric in ("YBR_RCT", "YBR_ICT")
        return _jpeg_2000(data), "RGB" if coloured else photometric
    if syntax == RLE:
        return _decode_rle(head, data), photometric
    raise ValueError(f"no decoder for transfer syntax {syntax}")


def _jpeg_colour_space(photometric: str, data: bytes) -> str | None:
    if photometric.startswith("YBR"):
        return "YCBCR"
    start = data[:4096]
    marked = b"JFIF\0" in start or b"Adobe" in start
    return None if marked else "RGB"


def _decode_rle(head: Head, data: bytes) -> Samples:
    pixels, bits = head["rows"] * head["columns"], head["bits_allocated"]
    raw = decode_rle_frame(data, pixels, bits, "<")
    planes = np.frombuffer(raw, dtype=f"<u{bits // 8}")
    planes = planes.reshape(head["samples"], head["rows"], head["columns"])
    return planes[0] if head["samples"] == 1 else planes.transpose(1, 2, 0)


def to_stored(samples: Samples, head: Head) -> Samples:
    """Samples in the container of the header: masked to BitsStored and sign-extended."""
    shape: tuple[int, ...] = (head["rows"], head["columns"])
    if head["samples"] > 1:
        shape += (head["samples"],)
    if samples.shape != shape:
        raise ValueError(f"decoded to {samples.shape}, the header says {shape}")
    width, stored = head["bits_allocated"], head["bits_stored"]
    if samples.dtype.itemsize * 8 > width:
        width = samples.dtype.itemsize * 8
    dtype = np.dtype(f"<{'i' if head['signed'] else 'u'}{width // 8}")
    wide = samples.astype(dtype, copy=False)
    if head["signed"] and stored < width:
        shift = width - stored
        return np.right_shift(np.left_shift(wide, shift), shift)
    return wide


def answer(head: Head, data: bytes) -> tuple[Head, bytes]:
    """What is sent back for one request."""
    try:
        samples, photometric = decode(head, data)
        stored = np.ascontiguousarray(to_stored(samples, head))
    except MemoryError:
        return {"error": "decoding needs more memory than the sandbox gives"}, b""
    except Exception as error:  # codecs raise their own classes; all mean the same here
        return {"error": f"{type(error).__name__}: {error}"[:300]}, b""
    shape = list(stored.shape)
    head = {"dtype": stored.dtype.str, "shape": shape, "photometric": photometric}
    return head, stored.tobytes()


def lock_down() -> None:
    """Give up what a decoder does not need."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    page = resource.getpagesize()
    with open("/proc/self/statm", "rb") as file:
        size, resident = (int(n) * page for n in file.read().split()[:2])
    room = size + MEMORY_BYTES - resident
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    # No number below the limit is free, so nothing can be opened any more.
    highest = max(int(n) for n in os.listdir("/proc/self/fd"))
    for number in range(highest + 1):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(2, number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, highest + 1))


def read_exactly(source: BinaryIO, length: int) -> bytes:
    """``length`` bytes, or the end of the process when the parent has gone."""
    data = source.read(length)
    if len(data) < length:
        sys.exit(0)
    return data


def main() -> None:
    """Serve until standard input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    lock_down()
    while True:
        head_length, body_length = struct.unpack("<II", read_exactly(source, 8))
        head = json.loads(read_exactly(source, head_length))
        body = read_exactly(source, body_length)
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = math.ceil(used.ru_utime + used.ru_stime) + CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        reply, payload = answer(head, body)
        encoded = json.dumps(reply).encode()
        sink.write(struct.pack("<II", len(encoded), len(payload)))
        sink.write(encoded)
        sink.write(payload)
        sink.flush()


if __name__ == "__main__":
    main()
