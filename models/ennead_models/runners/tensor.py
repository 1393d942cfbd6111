"""Networks that take a tensor and give one: what ONNX and TorchScript files have in common.

To the network's axes, spacing and intensities, tile by tile through the network, and the labels
back to the image's grid (:mod:`ennead_gpu.grids`, :mod:`ennead_gpu.tiled`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from ennead.errors import TensorMismatch
from ennead.geometry import Grid
from ennead_gpu.batching import BatchedNetwork
from ennead_gpu.channels import Channel as NetworkChannel
from ennead_gpu.grids import NetworkSpace, axis_order, labels_to_source, to_network
from ennead_gpu.tiled import Tiling, probabilities, segment
from ennead_models.manifest import ModelManifest
from ennead_models.predict import FloatVolume, Prediction, PredictProgress
from ennead_models.runners.outputs import check_channels, label_map, scores

if TYPE_CHECKING:
    import torch

Network = Callable[[Any], Any]
"""``float32[n, c, …]`` → ``float[n, c, …]``, both on the model's device."""

#: Tile along an axis that the manifest leaves open, before it is rounded to a multiple.
_TILE: Final = 128
#: Slices that go through a two-dimensional network together.
_SLICES: Final = 8
#: Tiles of several studies that go through a network together.
_TOGETHER: Final = 4


class TensorModel:
    """A tensor network with the platform's pre- and postprocessing around it.

    Threads may ask at the same time. Their tiles go through the network together when it takes
    batches (``batches``) and does not promise the same answer to the last bit.
    """

    def __init__(
        self,
        manifest: ModelManifest,
        digest: str,
        device: str,
        network: Network,
        *,
        threads: int,
        close: Callable[[], None],
        half: bool = False,
        batches: bool = False,
    ) -> None:
        self.manifest, self.digest, self.device = manifest, digest, device
        together = batches and not manifest.resources.deterministic
        self._shared = BatchedNetwork(network, _TOGETHER) if together else None
        self._network, self._close = network, close
        self._threads = threads
        wanted = manifest.resources.precision[0] if half and device != "cpu" else "fp32"
        self._precision: Literal["fp16", "bf16", "fp32"] = wanted

    def predict(
        self,
        values: FloatVolume,
        grid: Grid,
        *,
        thresholds: Mapping[str, float],
        progress: PredictProgress,
        cancelled: Callable[[], bool],
    ) -> Prediction:
        """See :func:`ennead_models.predict.predict`."""
        import torch

        with _threads(self._threads), torch.inference_mode():
            image, at = to_network(values, grid, self._space(grid), self.device)
            if self.manifest.output.kind == "classification":
                return Prediction(scores=self._classify(image))
            tiling = self._tiling(image)
            with self._joined():
                found = self._found(image, tiling, thresholds, progress, cancelled)
            labels = labels_to_source(found, at, grid, smooth=at.shape != _turned(grid, at))
        return Prediction(labels=self._values(labels))

    def _joined(self) -> contextlib.AbstractContextManager[None]:
        return self._shared.joined() if self._shared else contextlib.nullcontext()

    def _found(
        self,
        image: torch.Tensor,
        tiling: Tiling,
        thresholds: Mapping[str, float],
        progress: PredictProgress,
        cancelled: Callable[[], bool],
    ) -> torch.Tensor:
        output, network = self.manifest.output, self._segmenting()
        if output.kind != "labels":
            return self._thresholded(network, image, tiling, thresholds, progress, cancelled)
        classes = len(self.manifest.label) + 1 if output.form == "map" else output.channels
        return segment(network, image, tiling, classes=classes, progress=progress, stop=cancelled)

    @property
    def precision(self) -> str:
        """What it computes in."""
        return self._precision

    def close(self) -> None:
        """Give its memory back."""
        self._close()

    def _space(self, grid: Grid) -> NetworkSpace:
        given = self.manifest.input
        channels = tuple(NetworkChannel(**c.model_dump(exclude={"name"})) for c in given.channels)
        shape: tuple[int, int, int] | None = None
        if given.fit == "resize":
            lengths = [int(length) for length in given.shape]
            if given.dimensions == 2:
                order, _ = axis_order(grid, given.orientation)
                lengths = [grid.shape[order[0]], *lengths]
            shape = (lengths[0], lengths[1], lengths[2])
        spacing = None if shape else given.spacing_mm
        return NetworkSpace(given.orientation, spacing, channels, shape)

    def _tiling(self, image: torch.Tensor) -> Tiling:
        given, resources = self.manifest.input, self.manifest.resources
        tile = tile_of(self.manifest, tuple(image.shape[1:]))
        flat = given.dimensions == 2
        overlap = resources.overlap
        zeroed = any(channel.nonzero for channel in given.channels)
        return Tiling(
            tile=tile,
            overlap=(0.0, overlap, overlap) if flat else overlap,
            batch=_SLICES if flat else 1,
            precision=self._precision,
            pad_value=0.0 if zeroed else float(image.min()),
        )

    def _segmenting(self) -> Network:
        """The network as volumes of tiles see it: five axes, one channel a label."""
        network: Network = self._shared or self._network
        if self.manifest.input.dimensions == 2:
            flat = network

            def deep(tiles: torch.Tensor) -> Any:
                out = flat(tiles[:, :, 0])
                return out[:, :, None]

            network = deep
        if self.manifest.output.form != "map":
            return network
        manifest, maps = self.manifest, network

        def one_hot(tiles: torch.Tensor) -> Any:
            import torch

            out = maps(tiles)
            check_channels(manifest, tuple(out.shape))
            values = torch.stack([label_map(manifest, each, {}) for each in out])
            found = [values == 0, *(values == label.value for label in manifest.label)]
            return torch.stack(found, dim=1).to(torch.float32)

        return one_hot

    def _thresholded(
        self,
        network: Network,
        image: torch.Tensor,
        tiling: Tiling,
        thresholds: Mapping[str, float],
        progress: PredictProgress,
        cancelled: Callable[[], bool],
    ) -> torch.Tensor:
        import torch

        manifest = self.manifest
        blended = probabilities(
            network,
            image,
            tiling,
            activation=manifest.output.activation,
            channels=[manifest.channel_of(label) for label in manifest.label],
            classes=manifest.output.channels,
            progress=progress,
            stop=cancelled,
        )
        renumbered = [
            label.model_copy(update={"channel": index})
            for index, label in enumerate(manifest.label)
        ]
        output = manifest.output.model_copy(update={"activation": "none"})
        plain = manifest.model_copy(update={"label": renumbered, "output": output})
        found = label_map(plain, blended, thresholds)
        highest = max(label.value for label in manifest.label)
        return found.to(torch.uint8 if highest < 256 else torch.uint16)

    def _classify(self, image: torch.Tensor) -> dict[str, float]:
        """The scores of an image; of a stack of slices, the mean over them."""
        image = _padded(image, self.manifest)
        flat = self.manifest.input.dimensions == 2
        batch = image.transpose(0, 1) if flat else image[None]
        every = []
        for part in batch.split(_SLICES):
            out = self._network(part)
            check_channels(self.manifest, tuple(out.shape))
            every += [scores(self.manifest, one) for one in out.reshape(*out.shape[:2], -1).mean(2)]
        return {name: float(np.mean([each[name] for each in every])) for name in every[0]}

    def _values(self, labels: Any) -> Any:
        """Label values of channel numbers (``labels``), as uint16."""
        if self.manifest.output.kind == "labels":
            table = np.zeros(65536, dtype=np.uint16)
            for index, label in enumerate(self.manifest.label):
                as_map = self.manifest.output.form == "map"
                table[index + 1 if as_map else self.manifest.channel_of(label)] = label.value
            return table[labels]
        return labels.astype(np.uint16, copy=False)


def tile_of(manifest: ModelManifest, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Voxels of a tile for an image of that shape (the network's axes).

    Raises
    ------
    TensorMismatch
        The manifest's tile is none that its shape allows.
    """
    given = list(manifest.input.shape)
    tile = [int(t) for t in manifest.resources.tile]
    if manifest.input.dimensions == 2:
        given, tile = ["1", *given], [1, *tile] if tile else []
    lengths = []
    for axis, rule in enumerate(given):
        step = int(rule.removesuffix("n").removesuffix("*") or 1) if "n" in rule else int(rule)
        if "n" not in rule:
            length = step
        elif tile:
            length = tile[axis]
        else:
            length = step * math.ceil(min(shape[axis], max(_TILE, step)) / step)
        if length % step or ("n" not in rule and tile and tile[axis] != step):
            raise TensorMismatch(
                f"{manifest.id}: a tile of {tile} does not fit input.shape {given}; correct "
                "resources.tile."
            )
        lengths.append(length)
    return lengths[0], lengths[1], lengths[2]


def _padded(image: torch.Tensor, manifest: ModelManifest) -> torch.Tensor:
    """A classifier's image, padded at its ends to the multiples that its shape asks for."""
    from torch.nn.functional import pad

    rules = manifest.input.shape
    lengths = image.shape[-len(rules) :]
    missing: list[int] = []
    for rule, length in zip(reversed(rules), reversed(lengths), strict=True):
        step = int(rule.removesuffix("n").removesuffix("*") or 1) if "n" in rule else length
        missing += [0, -length % step]
    return pad(image, missing, value=float(image.min())) if any(missing) else image


def _turned(grid: Grid, at: Grid) -> tuple[int, ...]:
    """The image's shape in the order of the network's axes."""
    cosines = np.abs(np.array(at.axes) @ np.array(grid.axes).T)
    return tuple(grid.shape[int(axis)] for axis in cosines.argmax(axis=1))


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def as_tensor(manifest: ModelManifest, out: Any) -> torch.Tensor:
    """The network's answer where it gives several: the first, or the first of a mapping.

    Raises
    ------
    TensorMismatch
        There is no tensor among them.
    """
    import torch

    if isinstance(out, Mapping):
        out = next(iter(out.values()), None)
    elif isinstance(out, tuple | list):
        out = out[0] if out else None
    if not isinstance(out, torch.Tensor):
        raise TensorMismatch(
            f"{manifest.id} answers {type(out).__name__} where one tensor is expected. Export the "
            "network so that its first output is the one to use."
        )
    return cast("torch.Tensor", out)
