"""Stored values of frames: uncompressed ones from the file, compressed ones from the sandbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ennead.errors import NotFound, Undecodable
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.prepare.pixels import PixelLayout, Span, check_budget, read_layout
from ennead_pacs.rendering.codestream import check_codestream
from ennead_pacs.rendering.pool import DecoderPool, shared_pool

Samples = npt.NDArray[Any]

#: Largest decoded pixel data of one call where the caller has no settings at hand.
DEFAULT_LIMIT_BYTES = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class DecodedFrames:
    """Frames of one instance.

    Parameters
    ----------
    values : number[frame, row, column] or number[frame, row, column, sample]
        Stored values (before rescale), masked to BitsStored and sign-extended, in the byte order
        of this machine; floating point for Float Pixel Data. Read-only.
    photometric : str
        Of ``values``: differs from the header's where decoding converts (``YBR_ICT`` → ``RGB``).
    layout : PixelLayout
        What the header says, with every frame's place.
    """

    values: Samples
    photometric: str
    layout: PixelLayout


def decode_frames(
    path: Path,
    *,
    frames: Sequence[int] | None = None,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    pool: DecoderPool | None = None,
) -> DecodedFrames:
    """Decode frames of a stored Part 10 file.

    Parameters
    ----------
    path : Path
        From :meth:`ennead.contracts.Archive.path`.
    frames : sequence of int, optional
        Frame numbers from 0, in the order wanted; all frames otherwise.
    limit_bytes : int
        Bound on the decoded bytes, checked before anything is allocated
        (``settings.dicom.decode_limit_bytes``).
    pool : DecoderPool, optional
        Where compressed frames are decoded; the pool of this process otherwise.

    Raises
    ------
    Undecodable
        No pixel data, no decoder for the transfer syntax, damaged data, or more than
        ``limit_bytes``.
    CodestreamMismatch
        A code stream disagrees with Rows and Columns; no decoder was called.
    NotFound
        There is no frame of a wanted number.

    Notes
    -----
    PS3.5 §8 and §A.4; PS3.3 §C.7.6.3.
    """
    with Part10(path) as file:
        layout = read_layout(file)
        if layout is None:
            raise Undecodable("The instance has no pixel data; it cannot be shown as an image.")
        wanted = range(len(layout.frames)) if frames is None else frames
        for number in wanted:
            if not 0 <= number < len(layout.frames):
                raise NotFound(
                    f"Frames run from 1 to {len(layout.frames)}; got {number + 1}.",
                    frame=number + 1,
                )
        check_budget(layout, len(wanted), limit_bytes)
        if layout.native:
            planes = [native_frame(file, layout, number) for number in wanted]
            photometric = layout.photometric
            if photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
                photometric = photometric.removesuffix("_422")
        else:
            streams = [joined(file, layout.frames[number]) for number in wanted]
            for stream in streams:
                check_codestream(layout, stream)
            decoded = (pool or shared_pool()).decode_all(layout, streams)
            planes = [plane for plane, _ in decoded]
            photometric = decoded[0][1]
    values = planes[0][np.newaxis] if len(planes) == 1 else np.stack(planes)
    values.flags.writeable = False
    return DecodedFrames(values, photometric, layout)


def decode_files(
    paths: Sequence[Path],
    *,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    pool: DecoderPool | None = None,
) -> Iterator[DecodedFrames]:
    """Every frame of several instances, in the order of ``paths``, several files at once.

    At most a few files are decoded ahead of the one that is taken. ``limit_bytes`` holds for each
    file. Raises as :func:`decode_frames`, when the file's turn comes.
    """
    chosen = pool or shared_pool()
    waiting: deque[Future[DecodedFrames]] = deque()
    with ThreadPoolExecutor(chosen.size, thread_name_prefix="files") as threads:
        try:
            for path in paths:
                waiting.append(
                    threads.submit(decode_frames, path, limit_bytes=limit_bytes, pool=chosen)
                )
                if len(waiting) > 2 * chosen.size:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def joined(file: Part10, spans: Sequence[Span]) -> bytes:
    """The bytes of one frame, its fragments joined."""
    return b"".join(file.data[offset : offset + length] for offset, length in spans)


def native_frame(file: Part10, layout: PixelLayout, number: int) -> Samples:
    """One uncompressed frame as ``[row, column]`` or ``[row, column, sample]``."""
    ((offset, length),) = layout.frames[number]
    raw = file.data[offset : offset + length]
    rows, columns = layout.rows, layout.columns
    if layout.bits_allocated == 1:
        skipped = number * layout.pixels_per_frame % 8
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
        return bits[skipped : skipped + layout.pixels_per_frame].reshape(rows, columns)
    order = "<" if layout.little else ">"
    kind = "f" if layout.floating else ("i" if layout.signed else "u")
    size = layout.bits_allocated // 8
    samples = np.frombuffer(raw, dtype=f"{order}{kind}{size}")
    if not layout.little and size > 1:
        samples = samples.astype(f"{kind}{size}")
    if not layout.floating and layout.bits_stored < layout.bits_allocated:
        samples = _stored_bits(samples, layout)
    if layout.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        return _upsampled(samples, rows, columns)
    if layout.samples == 1:
        return samples.reshape(rows, columns)
    if layout.planar == 1:
        return samples.reshape(layout.samples, rows, columns).transpose(1, 2, 0)
    return samples.reshape(rows, columns, layout.samples)


def _stored_bits(samples: Samples, layout: PixelLayout) -> Samples:
    """Only BitsStored count; retired overlays may lie in the other bits (PS3.5 §8.1.1)."""
    above = max(0, layout.bits_allocated - 1 - layout.high_bit)
    shift = layout.bits_allocated - layout.bits_stored
    # Shifting up drops what lies above; shifting down sign-extends signed samples.
    return np.right_shift(np.left_shift(samples, above), shift)


def _upsampled(samples: Samples, rows: int, columns: int) -> Samples:
    """Y1 Y2 Cb Cr → one triple per pixel (PS3.3 §C.7.6.3.1.2)."""
    pairs = samples.reshape(rows, -1, 4)
    full = np.empty((rows, pairs.shape[1] * 2, 3), samples.dtype)
    full[:, 0::2, 0], full[:, 1::2, 0] = pairs[:, :, 0], pairs[:, :, 1]
    full[:, :, 1] = np.repeat(pairs[:, :, 2], 2, axis=1)
    full[:, :, 2] = np.repeat(pairs[:, :, 3], 2, axis=1)
    return full[:, :columns]
