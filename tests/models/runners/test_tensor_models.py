"""ONNX and TorchScript files: the same answer wherever the image lies, and what is refused."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.errors import (
    GridMismatch,
    ModelError,
    PredictionCancelled,
    TensorMismatch,
    WeightsUnsafe,
)
from ennead.geometry import Grid
from ennead_gpu.batching import BatchedNetwork
from ennead_models.predict import OpenedModel, predict
from ennead_models.testing.onnx_file import write_onnx
from ennead_models.testing.torchscript_file import write_torchscript

AXES: dict[str, Any] = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "flipped": ((0, 0, -1), (0, 1, 0), (-1, 0, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "oblique": ((0, 0.6, 0.8), (0, 0.8, -0.6), (1, 0, 0)),
}
FIND = {"default": 0.5, "site_bounds": [0.2, 0.9]}
Open = Callable[..., OpenedModel]


def grid_of(kind: str = "axial", spacing: Any = (2, 2, 2)) -> Grid:
    return Grid((20, 24, 28), (10.0, -20.0, 30.0), AXES[kind], spacing)


def image_of(grid: Grid, bright: float = 300.0) -> np.ndarray:
    values = np.full(grid.shape, -700, dtype=np.float32)
    values[5:9, 4:9, 10:20] = bright
    return values


@pytest.mark.parametrize("kind", sorted(AXES))
@pytest.mark.parametrize("runner", ["onnx", "torchscript"])
def test_labels_are_where_the_values_are(
    opened: Open, tmp_path: Path, runner: str, kind: str
) -> None:
    write = write_onnx if runner == "onnx" else write_torchscript
    model = opened(write(tmp_path / "net"), runner=runner)
    grid = grid_of(kind)
    told: list[float] = []
    found = predict(model, image_of(grid), grid, progress=told.append)
    assert found.labels is not None
    assert found.labels.dtype == np.uint16
    assert np.array_equal(found.labels, image_of(grid) > 0)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 4  # tiles of 16 voxels


def test_a_network_that_knows_left_from_right(opened: Open, tmp_path: Path) -> None:
    """A position channel would be needed; here the network's axis decides: only its first half.

    The tile is the whole image, and the convolution looks one voxel towards the network's axis.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((2, 1, 3, 1, 1), np.float32)
    weight[1, 0, 2] = 1.0  # the neighbour further along the first axis: right in RAS
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "w"], ["out"], pads=[1, 0, 0, 1, 0, 0])],
        "shift",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "d", "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 2, "d", "h", "w"])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "net"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    model = opened(path, resources__tile=[32, 32, 32])
    for kind in sorted(AXES):
        grid = grid_of(kind)
        labels = predict(model, image_of(grid), grid).labels
        # each label lies 2 mm to the left of its bright voxel: its right neighbour is bright
        truth = grid.to_patient(np.argwhere(image_of(grid) > 0)).mean(axis=0)
        place = grid.to_patient(np.argwhere(labels)).mean(axis=0)
        step = truth - place
        assert step[0] == pytest.approx(-2.0, abs=1e-6), kind
        assert abs(step[1:]).max() < 1e-6, kind


def test_resampling_keeps_the_place(opened: Open, tmp_path: Path) -> None:
    model = opened(write_onnx(tmp_path / "net"), input__spacing_mm=[1.0, 1.0, 1.0])
    truth = None
    for kind in ("axial", "flipped"):
        grid = grid_of(kind, (3.0, 1.5, 1.5))
        labels = predict(model, image_of(grid), grid).labels
        assert labels is not None
        overlap = (labels > 0) & (image_of(grid) > 0)
        assert 2 * overlap.sum() / (labels.astype(bool).sum() + 200) > 0.95
        truth = truth if truth is not None else labels
        assert np.array_equal(labels, truth)


def test_intensities_are_scaled_as_declared(opened: Open, tmp_path: Path) -> None:
    channel = {"name": "hu", "clip": [-1000.0, 1000.0], "scale": "minmax"}
    model = opened(write_onnx(tmp_path / "net", threshold=0.64), input__channels=[channel])
    grid = grid_of()
    # 300 HU is 0.65 and 270 HU is 0.635 of the range
    assert predict(model, image_of(grid, 300.0), grid).labels.sum() == 200
    assert predict(model, image_of(grid, 270.0), grid).labels.sum() == 0


def test_label_values_follow_the_manifest_not_the_channels(opened: Open, tmp_path: Path) -> None:
    model = opened(write_onnx(tmp_path / "net"), label__0__value=300, label__0__channel=1)
    grid = grid_of()
    assert set(np.unique(predict(model, image_of(grid), grid).labels)) == {0, 300}


def test_a_network_that_gives_label_values(opened: Open, tmp_path: Path) -> None:
    model = opened(write_onnx(tmp_path / "net", "map"), output={"kind": "labels", "form": "map"})
    grid = grid_of("coronal")
    assert np.array_equal(predict(model, image_of(grid), grid).labels, image_of(grid) > 0)


def test_probabilities_obey_the_sites_threshold(opened: Open, tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "net", "probability", threshold=300.0, scale=0.01)
    model = opened(
        net,
        output={"kind": "probability", "channels": 1},
        label__0__threshold=FIND,
    )
    grid = grid_of()
    values = image_of(grid, 310.0)  # probability 0.525
    assert predict(model, values, grid).labels.sum() == 200
    assert predict(model, values, grid, thresholds={"bright": 0.6}).labels.sum() == 0
    with pytest.raises(ModelError, match=r"is inside \[0\.2, 0\.9\]; got 0\.95"):
        predict(model, values, grid, thresholds={"bright": 0.95})


@pytest.mark.parametrize("kind", ["axial", "flipped"])
def test_a_classifier_gives_a_score(opened: Open, tmp_path: Path, kind: str) -> None:
    net = write_onnx(tmp_path / "net", "classification", threshold=-700.0, scale=0.01)
    model = opened(
        net,
        output={"kind": "classification", "channels": 1},
        label__0__threshold=FIND,
    )
    grid = grid_of(kind)
    found = predict(model, image_of(grid), grid)
    mean = 1000 * 200 / (20 * 24 * 28)  # above -700
    assert found.labels is None
    assert found.scores["bright"] == pytest.approx(1 / (1 + np.exp(-0.01 * mean)), abs=1e-5)


def test_slices_go_through_a_flat_network(opened: Open, tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "net", dimensions=2)
    model = opened(
        net,
        input__dimensions=2,
        input__orientation="SAR",
        input__shape=["n", "n"],
        resources__tile=[16, 16],
    )
    for kind in ("axial", "coronal"):
        grid = grid_of(kind)
        assert np.array_equal(predict(model, image_of(grid), grid).labels, image_of(grid) > 0)


def test_a_fixed_shape_takes_the_whole_image(opened: Open, tmp_path: Path) -> None:
    net = write_onnx(
        tmp_path / "net", "classification", dimensions=2, shape=(32, 32), threshold=-700, scale=0.01
    )
    model = opened(
        net,
        input__dimensions=2,
        input__orientation="SAR",
        input__shape=[32, 32],
        input__fit="resize",
        resources__tile=None,
        output={"kind": "classification", "channels": 1},
        label__0__threshold=FIND,
    )
    grid = Grid((1, 64, 64), (0, 0, 0), AXES["axial"], (1, 1, 1))
    values = np.full(grid.shape, -500, dtype=np.float32)
    assert predict(model, values, grid).scores["bright"] == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": 2}, r"takes a tensor \['n', 2, .*its manifest says \[n, 1, n, n, n\]"),
        ({"dimensions": 2}, r"takes a tensor \['n', 1, 'h', 'w'\]"),
        ({"shape": (8, 8, 8)}, r"takes a tensor \['n', 1, 8, 8, 8\]"),
    ],
)
def test_another_input_than_declared_is_refused_when_opened(
    opened: Open, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(TensorMismatch, match=said):
        opened(write_onnx(tmp_path / "net", **changes))


def test_another_number_of_classes_is_refused(opened: Open, tmp_path: Path) -> None:
    model = opened(write_onnx(tmp_path / "net"), output__channels=3)
    with pytest.raises(TensorMismatch, match=r"promises 3 channels; the network gave 2"):
        predict(model, image_of(grid_of()), grid_of())


def test_scores_are_no_label_map(opened: Open, tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "net", "probability", scale=0.01)
    model = opened(net, output={"kind": "labels", "form": "map"})
    with pytest.raises(TensorMismatch, match="a network that gives scores is no 'map'"):
        predict(model, image_of(grid_of()), grid_of())


def test_torchscript_says_which_tensor_it_does_not_take(opened: Open, tmp_path: Path) -> None:
    model = opened(write_torchscript(tmp_path / "net", channels=2), runner="torchscript")
    with pytest.raises(TensorMismatch, match=r"tensor of shape \[1, 1, 16, 16, 16\].*channels"):
        predict(model, image_of(grid_of()), grid_of())


@pytest.mark.parametrize("runner", ["onnx", "torchscript"])
def test_what_is_no_network_is_refused(opened: Open, tmp_path: Path, runner: str) -> None:
    (tmp_path / "net").write_bytes(b"not a network")
    with pytest.raises(WeightsUnsafe):
        opened(tmp_path / "net", runner=runner)


def test_a_pickled_module_is_not_loaded(opened: Open, tmp_path: Path) -> None:
    import torch

    torch.save(torch.nn.Conv3d(1, 2, 1), tmp_path / "net")
    with pytest.raises(WeightsUnsafe, match="would run code when loaded"):
        opened(tmp_path / "net", runner="torchscript")


def test_cancelled_between_tiles(opened: Open, tmp_path: Path) -> None:
    model = opened(write_onnx(tmp_path / "net"))
    asked = iter([False, False, True])
    with pytest.raises(PredictionCancelled):
        predict(model, image_of(grid_of()), grid_of(), cancelled=lambda: next(asked))


def test_image_and_grid_belong_together(opened: Open, tmp_path: Path) -> None:
    model = opened(write_onnx(tmp_path / "net"))
    with pytest.raises(GridMismatch):
        predict(model, np.zeros((3, 3, 3), np.float32), grid_of())


def test_a_tile_that_the_shape_does_not_allow(opened: Open, tmp_path: Path) -> None:
    model = opened(
        write_onnx(tmp_path / "net"), input__shape=["16*n", "n", "n"], resources__tile=[20, 16, 16]
    )
    with pytest.raises(TensorMismatch, match=r"correct resources\.tile"):
        predict(model, image_of(grid_of()), grid_of())


@pytest.mark.parametrize("runner", ["onnx", "torchscript"])
@pytest.mark.parametrize("deterministic", [True, False])
def test_studies_at_the_same_time_share_batches_only_where_the_model_lets_them(
    opened: Open, tmp_path: Path, runner: str, deterministic: bool
) -> None:
    write = write_onnx if runner == "onnx" else write_torchscript
    model: Any = opened(
        write(tmp_path / "net"), runner=runner, resources__deterministic=deterministic
    )
    batches, inner = [], model._network
    everybody = threading.Barrier(3)

    def watched(tiles: Any) -> Any:
        batches.append(len(tiles))
        return inner(tiles)

    model._network = watched
    if model._shared is not None:
        model._shared = BatchedNetwork(watched, max_tiles=4, max_wait_s=5)
        joined = model._shared.joined
        model._shared.joined = lambda: _met(joined, everybody)
    grids = [grid_of(kind) for kind in ("axial", "flipped", "oblique")]
    with ThreadPoolExecutor(3) as pool:
        every = list(pool.map(lambda grid: predict(model, image_of(grid), grid), grids))
    for grid, found in zip(grids, every, strict=True):
        assert np.array_equal(found.labels, image_of(grid) > 0)
    assert max(batches) == (1 if deterministic else 3)


@contextmanager
def _met(joined: Any, everybody: threading.Barrier) -> Iterator[None]:
    with joined():
        everybody.wait(10)
        yield
