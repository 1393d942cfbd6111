"""The ring of planes in which overlapping tiles are summed, and how much memory it takes.

With ``C`` classes, an image of ``Z × Y × X`` voxels, tiles of ``tz × ty × tx``, batches of ``n``
tiles and ``B`` bands, the working memory in bytes is

* sums: ``4 · (C + 2) · min(tz, Z) · ⌈Y / B⌉ · X`` (the classes, the weights, one row's weights),
* tiles: ``n · tz · ty · tx · (4 · c + 2 · 4 · C)`` (input of ``c`` channels, output, weighted
  output),
* finishing: ``16 · PLANES · ⌈Y / B⌉ · X``, of ``PLANES`` planes at a time,
* what is kept: one byte a voxel for labels (two from 257 classes on), four a voxel and channel for
  probabilities.

It does not grow with the number of planes except in the last term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ennead.errors import DeviceMemoryExhausted
from ennead_gpu.reducers import Reducer
from ennead_gpu.windows import Start, Windows

if TYPE_CHECKING:
    import torch

MIB: Final = 1024 * 1024
#: Planes finished at a time.
PLANES: Final = 8

Band = tuple[int, int]
"""Rows from, to (exclusive)."""


def working_mib(
    windows: Windows, batch: int, classes: int, kept_bytes: int, bands: int = 1, inputs: int = 1
) -> float:
    """Working memory of a run in MiB by the formula above, without image and network.

    Parameters
    ----------
    kept_bytes : int
        Bytes a voxel of what is kept (:attr:`ennead_gpu.reducers.Reducer`).
    inputs : int
        Channels of the image.
    """
    depth, height, width = windows.shape
    rows = -(-height // bands)
    tile = windows.tile[0] * windows.tile[1] * windows.tile[2]
    sums = 4 * (classes + 2) * windows.extent[0] * rows * width
    tiles = batch * tile * (4 * inputs + 8 * classes)
    finishing = 16 * min(PLANES, depth) * rows * width
    return (sums + tiles + finishing + kept_bytes * depth * height * width) / MIB


def choose_bands(
    windows: Windows,
    batch: int,
    classes: int,
    reducer: Reducer,
    memory_mib: float | None,
    inputs: int = 1,
) -> list[Band]:
    """As few bands of rows as fit into the memory.

    Raises
    ------
    DeviceMemoryExhausted
        Two bands for each row of tiles are still too much.
    """
    height, kept = windows.shape[1], reducer.bytes_a_voxel(classes)
    most = min(height, 2 * len(windows.axes[1]))
    for count in range(1, most + 1):
        need = working_mib(windows, batch, classes, kept, count, inputs)
        if memory_mib is None or need <= memory_mib:
            rows = -(-height // count)
            return [(y, min(y + rows, height)) for y in range(0, height, rows)]
    raise DeviceMemoryExhausted(
        f"Tiles of {windows.tile} with {classes} classes need {need:.1f} MiB beside the network; "
        f"{memory_mib:.1f} MiB are leased. Take smaller tiles or smaller batches.",
        need_mib=need,
    )


class Ring:
    """Sums of a band's tiles; finished planes go to the reducer.

    Plane ``z`` lies at place ``z mod depth``, so a tile always fills the whole ring and nothing is
    ever moved.

    Parameters
    ----------
    band : (int, int)
        Rows of the image.
    weights : float32[ez, ey, ex]
        Importance of the tile's part that lies in the image.
    reducer : Reducer
        Takes finished planes.
    """

    def __init__(
        self, windows: Windows, band: Band, classes: int, weights: torch.Tensor, reducer: Reducer
    ) -> None:
        import torch

        self._windows, self._band, self._reducer = windows, band, reducer
        self._depth = windows.extent[0]
        rows, width = band[1] - band[0], windows.shape[2]
        self._sums = torch.zeros((classes, self._depth, rows, width), device=weights.device)
        self._counts = torch.zeros((self._depth, rows, width), device=weights.device)
        # Every row of tiles weighs its planes alike.
        self._row = torch.zeros_like(self._counts)
        for _, y, x in (s for s in windows.starts(*band) if s[0] == 0):
            ours, theirs, columns = self._overlap(y, x)
            self._row[:, ours, columns] += weights[:, theirs]
        self._top: int | None = None

    def add(self, start: Start, scaled: torch.Tensor) -> None:
        """Add a tile's weighted output.

        Parameters
        ----------
        start : (int, int, int)
            Of the tile; tiles come in the order of :meth:`Windows.starts`.
        scaled : float[classes, ez, ey, ex]
            The part of the tile that lies in the image.
        """
        z, y, x = start
        if z != self._top:
            if self._top is not None:
                self._finish(self._top, z)
            self._top = z
            for here, there in self._places(z, z + self._depth):
                self._counts[here] += self._row[there]
        ours, theirs, columns = self._overlap(y, x)
        for here, there in self._places(z, z + self._depth):
            self._sums[:, here, ours, columns] += scaled[:, there, theirs]

    def close(self) -> None:
        """Finish the planes that are left."""
        if self._top is not None:
            self._finish(self._top, self._windows.shape[0])

    def _overlap(self, y: int, x: int) -> tuple[slice, slice, slice]:
        """Rows of the band and of the tile that cover each other, and columns of the band."""
        low, high = self._band
        _, height, width = self._windows.extent
        first, last = max(y, low), min(y + height, high)
        return slice(first - low, last - low), slice(first - y, last - y), slice(x, x + width)

    def _places(self, first: int, last: int) -> list[tuple[slice, slice]]:
        """Where planes lie in the ring, and which of ``first`` … they are."""
        begin, count = first % self._depth, last - first
        before = min(count, self._depth - begin)
        places = [(slice(begin, begin + before), slice(0, before))]
        if before < count:
            places.append((slice(0, count - before), slice(before, count)))
        return places

    def _finish(self, first: int, last: int) -> None:
        rows = slice(*self._band)
        for plane in range(first, last, PLANES):
            end = min(plane + PLANES, last)
            for here, there in self._places(plane, end):
                blended = self._sums[:, here]
                blended /= self._counts[here]
                taken = slice(plane + there.start, plane + there.stop)
                self._reducer.take(blended, taken, rows)
                blended.zero_()
                self._counts[here] = 0
