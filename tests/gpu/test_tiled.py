"""Tiled inference beside MONAI's SlidingWindowInferer: the same labels, in less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ennead.errors import (
    DeviceMemoryExhausted,
    ModelManifestInvalid,
    OutputNotFinite,
    PredictionCancelled,
    TensorMismatch,
)

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from ennead_gpu.reducers import Argmax  # noqa: E402
from ennead_gpu.ring import choose_bands, working_mib  # noqa: E402
from ennead_gpu.tiled import Tiling, probabilities, segment  # noqa: E402
from ennead_gpu.windows import Windows, importance_map  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    ),
]
every_device = pytest.mark.parametrize("device", DEVICES)


@pytest.fixture(scope="module")
def network() -> Any:
    """Three classes; what it answers depends on where in the tile a voxel lies (zero padding)."""
    torch.manual_seed(3)
    layers = (
        torch.nn.Conv3d(1, 6, 3, padding=1),
        torch.nn.InstanceNorm3d(6),
        torch.nn.LeakyReLU(),
        torch.nn.Conv3d(6, 3, 3, padding=1),
    )
    return torch.nn.Sequential(*layers).eval()


def image(shape: tuple[int, ...], device: str = "cpu") -> Any:
    values = np.random.default_rng(sum(shape)).normal(size=(1, *shape)).astype(np.float32)
    return torch.from_numpy(values).to(device)


def monai_scores(network: Any, values: Any, tiling: Tiling) -> Any:
    from monai.inferers import SlidingWindowInferer

    inferer = SlidingWindowInferer(
        tiling.tile, tiling.batch, tiling.overlap, tiling.weights, cval=tiling.pad_value
    )
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(tiling.precision)
    with torch.inference_mode(), torch.autocast(values.device.type, kind, enabled=kind is not None):
        return inferer(values[None], network)[0]


TILE = (12, 16, 10)
CASES = {
    "one tile": ((12, 16, 10), {}),
    "divisible": ((24, 32, 20), {"overlap": 0.0}),
    "not divisible": ((29, 37, 23), {"overlap": 0.25}),
    "half overlap": ((25, 33, 21), {"overlap": 0.5}),
    "overlap by axis": ((25, 33, 21), {"overlap": (0.5, 0.1, 0.7)}),
    "smaller than the tile": ((7, 11, 9), {}),
    "smaller along z": ((5, 40, 23), {"pad_value": -1.0}),
    "smaller along y and x": ((31, 9, 3), {"overlap": 0.6}),
    "one plane": ((1, 30, 30), {}),
    "batches across rows": ((30, 20, 20), {"batch": 4}),
    "constant weights": ((29, 37, 23), {"weights": "constant", "batch": 3}),
    "bfloat16": ((29, 20, 23), {"precision": "bf16", "batch": 2}),
    "float16": ((29, 20, 23), {"precision": "fp16"}),
}


@every_device
@pytest.mark.parametrize(("shape", "options"), CASES.values(), ids=CASES.keys())
def test_labels_are_monais(
    network: Any, shape: tuple[int, int, int], options: dict[str, Any], device: str
) -> None:
    tiling, values = Tiling(TILE, **options), image(shape, device)
    network = network.to(device)
    theirs = monai_scores(network, values, tiling)
    ours = segment(network, values, tiling)
    assert ours.dtype == torch.uint8 and ours.device == values.device
    assert torch.equal(ours.long(), theirs.argmax(0))
    assert len(ours.unique()) == 3
    scores = probabilities(network, values, tiling, activation="none")
    tolerance = 1e-5 if tiling.precision == "fp32" else 2e-2
    torch.testing.assert_close(scores, theirs.float(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("tile", [(12, 16, 10), (32, 32, 32), (1, 5, 7)])
def test_weights_are_monais_bit_for_bit(tile: tuple[int, int, int]) -> None:
    from monai.data.utils import compute_importance_map

    for weights in ("gaussian", "constant"):
        theirs = compute_importance_map(tile, mode=weights)
        assert torch.equal(importance_map(tile, weights), theirs)


def test_tiles_lie_where_monais_do() -> None:
    from monai.data.utils import dense_patch_slices
    from monai.inferers.utils import _get_scan_interval

    rng = np.random.default_rng(7)
    for _ in range(60):
        tile = tuple(int(n) for n in rng.integers(1, 20, 3))
        shape = tuple(int(max(n, t)) for n, t in zip(rng.integers(1, 50, 3), tile, strict=True))
        overlaps = tuple(float(n) for n in rng.choice([0, 0.1, 0.25, 1 / 3, 0.5, 0.9], 3))
        steps = _get_scan_interval(shape, tile, 3, overlaps)
        theirs = [tuple(s.start for s in w) for w in dense_patch_slices(shape, tile, steps)]
        windows = Windows.of(shape, tile, overlaps)  # type: ignore[arg-type]
        assert windows.starts(0, shape[1]) == theirs


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_of_chosen_channels(network: Any, activation: Any) -> None:
    values, tiling = image((20, 33, 14)), Tiling(TILE)
    scores = monai_scores(network, values, tiling)
    truth = scores.softmax(0) if activation == "softmax" else scores.sigmoid()
    chosen = probabilities(network, values, tiling, channels=(2, 0), activation=activation)
    torch.testing.assert_close(chosen, truth[[2, 0]], atol=1e-5, rtol=0)
    with pytest.raises(TensorMismatch, match="channels 0 to 2"):
        probabilities(network, values, tiling, channels=(3,))


class PeakMemory(TorchDispatchMode):
    """Bytes of the tensors that live at one time while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.peak, self._living = 0, {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        from torch.multiprocessing.reductions import StorageWeakRef

        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                self._living[storage.data_ptr()] = (StorageWeakRef(storage), storage.nbytes())
        self._living = {k: v for k, v in self._living.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(n for _, n in self._living.values()))
        return result


def spread(values: Any) -> Any:
    """24 classes of nothing but the input: a network that needs next to no memory itself."""
    return values * torch.arange(-12.0, 12.0).reshape(1, 24, 1, 1, 1)


@pytest.mark.parametrize("bands", [1, 3])
def test_the_memory_formula_holds(bands: int) -> None:
    tiling, values = Tiling((24, 24, 24), 0.5, batch=2), image((100, 64, 64))
    windows = Windows.of((100, 64, 64), tiling.tile, tiling.overlaps)
    promised = working_mib(windows, tiling.batch, 24, 1, bands)
    importance_map(tiling.tile, "gaussian")
    with PeakMemory() as memory:
        segment(spread, values, tiling, classes=24, memory_mib=promised)
    used = (memory.peak - values.nbytes) / 2**20
    assert 0.8 * promised < used <= promised
    whole = 4 * 24 * values.numel() / 2**20
    assert used < whole / 2


def test_a_large_ct_with_24_classes_needs_what_is_leased() -> None:
    """512 × 512 × 600 in tiles of 128: 15 GB of class volumes; 4 GiB and then 1 GiB suffice."""
    windows = Windows.of((600, 512, 512), (128, 128, 128), (0.25, 0.25, 0.25))
    whole = 4 * 24 * 600 * 512 * 512 / 2**20
    assert whole > 14_000
    assert working_mib(windows, 1, 24, 1) < 4096
    assert choose_bands(windows, 1, 24, Argmax(), 4096) == [(0, 512)]
    bands = choose_bands(windows, 1, 24, Argmax(), 1536)
    assert [b[0] for b in bands[1:]] == [b[1] for b in bands[:-1]]
    assert bands[0][0] == 0 and bands[-1][1] == 512
    assert working_mib(windows, 1, 24, 1, len(bands)) <= 1536
    taller = Windows.of((1200, 512, 512), (128, 128, 128), (0.25, 0.25, 0.25))
    extra = working_mib(taller, 1, 24, 1) - working_mib(windows, 1, 24, 1)
    assert extra == pytest.approx(600 * 512 * 512 / 2**20)  # the labels alone


@pytest.mark.parametrize("batch", [1, 3])
def test_bands_change_no_label(network: Any, batch: int) -> None:
    values, tiling = image((20, 45, 14)), Tiling(TILE, 0.5, batch=batch)
    windows = Windows.of((20, 45, 14), TILE, tiling.overlaps)
    whole = segment(network, values, tiling)
    for bands in (2, 5):
        memory = working_mib(windows, batch, 3, 1, bands)
        assert len(choose_bands(windows, batch, 3, Argmax(), memory)) == bands
        assert torch.equal(segment(network, values, tiling, memory_mib=memory), whole)


def test_too_little_memory_says_how_much_is_needed(network: Any) -> None:
    with pytest.raises(DeviceMemoryExhausted, match="Take smaller tiles") as caught:
        segment(network, image((40, 40, 40)), Tiling((16, 16, 16)), memory_mib=0.2)
    assert caught.value.details["need_mib"] > 0.2


def test_more_than_a_byte_of_classes() -> None:
    values = image((9, 8, 8))

    def many(batch: Any) -> Any:
        return -((torch.arange(40_000.0).reshape(1, -1, 1, 1, 1) - 39_000 - 100 * batch) ** 2)

    labels = segment(many, values, Tiling((4, 4, 4), 0.0))
    assert labels.dtype == torch.uint16
    truth = (39_000 + 100 * values[0]).round().numpy()
    np.testing.assert_allclose(labels.numpy().astype(int), truth, atol=4)


def test_the_image_is_not_changed_even_by_a_network_that_answers_its_input() -> None:
    values = image((10, 10, 10))
    kept = values.clone()
    segment(lambda batch: batch, values, Tiling((6, 6, 6)))
    assert torch.equal(values, kept)


def test_progress_rises_to_one(network: Any) -> None:
    told: list[float] = []
    segment(network, image((30, 20, 20)), Tiling(TILE, batch=3), progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 3


def test_cancelling_stops_before_the_next_tile(network: Any) -> None:
    ran: list[int] = []

    def counting(batch: Any) -> Any:
        ran.append(len(batch))
        return network(batch)

    with pytest.raises(PredictionCancelled):
        segment(counting, image((40, 40, 40)), Tiling(TILE), stop=lambda: len(ran) == 2)
    assert len(ran) == 2


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda batch: batch[0], "must answer one tensor"),
        (lambda batch: [batch], "must answer one tensor"),
        (lambda batch: batch[..., ::2], "tiles' shape"),
        (lambda batch: batch.expand(-1, 2, -1, -1, -1), "promises 5 channels"),
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(broken: Any, says: str) -> None:
    with pytest.raises(TensorMismatch, match=says):
        segment(broken, image((9, 9, 9)), Tiling((8, 8, 8)), classes=5)


def test_nan_is_never_a_label() -> None:
    def sick(batch: Any) -> Any:
        out = batch.repeat(1, 3, 1, 1, 1)
        out[:, 2, 3, 3, 3] = torch.nan
        return out

    with pytest.raises(OutputNotFinite):
        segment(sick, image((9, 9, 9)), Tiling((8, 8, 8)))
    with pytest.raises(OutputNotFinite):
        probabilities(sick, image((9, 9, 9)), Tiling((8, 8, 8)))


def test_a_tiling_that_means_nothing_is_refused() -> None:
    for wrong in ({"tile": (0, 4, 4)}, {"overlap": 1.0}, {"overlap": -0.1}, {"batch": 0}):
        with pytest.raises(ModelManifestInvalid):
            Tiling(**{"tile": (4, 4, 4), **wrong})
