"""Sliding-window inference in bounded memory: the same labels as MONAI's ``SlidingWindowInferer``.

Tiles run in the same order, with the same weights and roundings, so the labels are the same. What
differs is what is kept: only a ring of one tile's depth holds the classes' sums. When the tiles
leave a plane behind, it is finished at once (to labels, or to the probabilities asked for) and its
place in the ring is used again. :mod:`ennead_gpu.ring` gives the memory formula.

PyTorch is imported when it is first needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ennead.errors import ModelManifestInvalid, PredictionCancelled, TensorMismatch
from ennead_gpu.pages import kept_pages
from ennead_gpu.reducers import Argmax, Probabilities, Reducer
from ennead_gpu.ring import Ring, choose_bands
from ennead_gpu.windows import Windows, importance_map

if TYPE_CHECKING:
    import torch

Network = Callable[[Any], Any]
"""``float32[n, c, z, y, x]`` → ``float[n, classes, z, y, x]`` on the same device."""
Progress = Callable[[float], None]
"""Called between batches of tiles with the fraction (0–1) done."""
Stop = Callable[[], bool]
"""Asked between batches of tiles; True ends the run with :class:`PredictionCancelled`."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a volume is cut.

    Parameters
    ----------
    tile : (int, int, int)
        Voxels of a tile along the tensor's axes. An image that is smaller is padded, half on each
        side, with ``pad_value``.
    overlap : float or 3 × float
        Share of a tile that its neighbour covers too; 0 ≤ overlap < 1.
    weights : str
        ``gaussian``: MONAI's importance map, standard deviation 1/8 of the tile; ``constant``.
    batch : int
        Tiles that go through the network together.
    precision : str
        ``fp32``, or ``fp16``/``bf16`` by autocast. Sums are always float32.
    pad_value : float
        In the network's own intensities.

    Raises
    ------
    ModelManifestInvalid
        A number outside these bounds.
    """

    tile: tuple[int, int, int]
    overlap: float | tuple[float, float, float] = 0.25
    weights: Literal["gaussian", "constant"] = "gaussian"
    batch: int = 1
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    pad_value: float = 0.0

    def __post_init__(self) -> None:
        if len(self.tile) != 3 or min(self.tile) < 1 or self.batch < 1:
            raise ModelManifestInvalid(
                f"A tile is three positive lengths and a batch at least 1 tile; got {self.tile}, "
                f"{self.batch}."
            )
        if not all(0 <= share < 1 for share in self.overlaps):
            raise ModelManifestInvalid(f"Overlap is 0 to below 1; got {self.overlap}.")

    @property
    def overlaps(self) -> tuple[float, float, float]:
        """The overlap along each axis."""
        if isinstance(self.overlap, tuple):
            return self.overlap
        return (self.overlap, self.overlap, self.overlap)


def segment(
    network: Network,
    image: torch.Tensor,
    tiling: Tiling,
    *,
    classes: int | None = None,
    memory_mib: float | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> torch.Tensor:
    """The class with the largest score at each voxel.

    Parameters
    ----------
    network : callable
        Tensor to tensor, in evaluation mode, on the device of ``image``.
    image : float32[c, z, y, x]
        The network's input (:func:`ennead_gpu.grids.to_network`).
    classes : int, optional
        Channels of the network's output, background included; found out by a run when absent.
    memory_mib : float, optional
        Most memory for sums, tiles and labels (:func:`ennead_gpu.ring.working_mib`), without the
        image and without what the network itself takes. When one ring over whole planes is larger,
        the volume is done in bands of rows, whose shared tiles are computed twice.
    progress, stop : callable, optional
        Called between batches.

    Returns
    -------
    uint8[z, y, x]
        uint16 from 257 classes on; on the image's device.

    Raises
    ------
    TensorMismatch
        The output is not one tensor of the tiles' shape, or not of ``classes`` channels.
    NotFiniteOutput
        The network gave NaN; half precision may be too narrow for it.
    DeviceMemoryExhausted
        Even the narrowest band needs more than ``memory_mib``.
    PredictionCancelled
        ``stop`` said so.
    """
    run = _Run(network, image, tiling, classes, memory_mib, progress, stop)
    return run.reduce(Argmax())


def probabilities(
    network: Network,
    image: torch.Tensor,
    tiling: Tiling,
    *,
    channels: Sequence[int] | None = None,
    activation: Literal["none", "softmax", "sigmoid"] = "softmax",
    classes: int | None = None,
    memory_mib: float | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> torch.Tensor:
    """Blended outputs of some channels, or of all.

    Parameters
    ----------
    channels : sequence of int, optional
        Which, in this order; None gives all (they are held whole: ask for few of a large image).
    activation : str
        Applied after blending, over all channels.

    Returns
    -------
    float32[k, z, y, x]
        One volume a channel, on the image's device. The rest is as in :func:`segment`.
    """
    run = _Run(network, image, tiling, classes, memory_mib, progress, stop)
    return run.reduce(Probabilities(None if channels is None else tuple(channels), activation))


class _Run:
    """One pass of a network over one image."""

    def __init__(
        self,
        network: Network,
        image: torch.Tensor,
        tiling: Tiling,
        classes: int | None,
        memory_mib: float | None,
        progress: Progress | None,
        stop: Stop | None,
    ) -> None:
        if image.ndim != 4:
            raise TensorMismatch(f"An image is [c, z, y, x]; got shape {tuple(image.shape)}.")
        self.network, self.image, self.tiling = network, image, tiling
        self.classes, self.memory_mib = classes, memory_mib
        self.progress, self.stop = progress, stop
        shape = tuple(image.shape[1:])
        self.windows = Windows.of((shape[0], shape[1], shape[2]), tiling.tile, tiling.overlaps)

    def reduce(self, reducer: Reducer) -> torch.Tensor:
        """Run everything and give what the reducer makes of it."""
        import torch

        on_cpu = self.image.device.type == "cpu"
        with torch.inference_mode(), kept_pages() if on_cpu else contextlib.nullcontext():
            return self._reduce(reducer)

    def _reduce(self, reducer: Reducer) -> torch.Tensor:
        import torch

        tiling, image, windows = self.tiling, self.image, self.windows
        self._buffer = torch.full(
            (tiling.batch, image.shape[0], *tiling.tile), tiling.pad_value, device=image.device
        )
        # The first batch also tells how many classes there are.
        first_starts = windows.starts(0, windows.shape[1])[: tiling.batch]
        out = self._batch(first_starts)
        classes = int(out.shape[1])
        bands = choose_bands(
            windows, tiling.batch, classes, reducer, self.memory_mib, image.shape[0]
        )
        weights = importance_map(tiling.tile, tiling.weights).to(image.device)
        scaled = torch.empty((tiling.batch, *out.shape[1:]), dtype=out.dtype, device=out.device)
        ahead = {tuple(first_starts): out}
        del out
        reducer.begin(windows.shape, classes, image.device)
        total, done = sum(len(windows.starts(*band)) for band in bands), 0
        for band in bands:
            ring = Ring(windows, band, classes, weights[windows.inner], reducer)
            starts = windows.starts(*band)
            for first in range(0, len(starts), tiling.batch):
                chosen = starts[first : first + tiling.batch]
                out = ahead.pop(tuple(chosen), None)
                ahead.clear()
                if out is None:
                    out = self._batch(chosen)
                # Rounded to the output's own precision before it is added, as in MONAI.
                torch.mul(out, weights, out=scaled[: len(chosen)])
                del out  # before the next batch makes its own
                for slot, start in enumerate(chosen):
                    ring.add(start, scaled[(slot, slice(None), *windows.inner)])
                done += len(chosen)
                if self.progress is not None:
                    self.progress(done / total)
            ring.close()
            del ring
        return reducer.result()

    def _batch(self, starts: Sequence[tuple[int, int, int]]) -> torch.Tensor:
        """The network's output of these tiles."""
        if self.stop is not None and self.stop():
            raise PredictionCancelled("The run was stopped between two tiles, as asked.")
        inner = self.windows.inner
        for slot, start in enumerate(starts):
            self._buffer[(slot, slice(None), *inner)] = self.image[
                (slice(None), *self.windows.at(start))
            ]
        return self._run(self._buffer[: len(starts)])

    def _run(self, batch: torch.Tensor) -> torch.Tensor:
        """The network's output of a batch, checked."""
        import torch

        with _precision(self.image.device.type, self.tiling.precision):
            out = self.network(batch)
        wanted = (batch.shape[0], *self.tiling.tile)
        if not isinstance(out, torch.Tensor) or out.ndim != 5:
            raise TensorMismatch(
                f"A network must answer one tensor [n, classes, z, y, x]; got {type(out).__name__}"
                f" {tuple(getattr(out, 'shape', ()))}."
            )
        if (out.shape[0], *out.shape[2:]) != wanted:
            raise TensorMismatch(
                f"The output must have the tiles' shape {wanted}; got {tuple(out.shape)}. Is the "
                "tile a multiple of what the network needs?"
            )
        if self.classes is not None and out.shape[1] != self.classes:
            raise TensorMismatch(
                f"The model promises {self.classes} channels; the network gave {out.shape[1]}."
            )
        return out


@contextlib.contextmanager
def _precision(device: str, precision: str) -> Iterator[None]:
    if precision == "fp32":
        yield
        return
    import torch

    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    with torch.autocast(device, dtype=kind):
        yield
