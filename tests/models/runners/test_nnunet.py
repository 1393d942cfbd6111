"""nnU-Net v2 results folders run by nnunetv2's own classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.errors import PredictionCancelled, TensorMismatch, WeightsUnsafe
from ennead.geometry import Grid
from ennead_models.predict import OpenedModel, predict
from ennead_models.testing.nnunet_folder import write_results_folder

NNUNET: dict[str, Any] = {
    "runner": "nnunet",
    "input": {"modality": ["CT"]},
    "resources__tile": None,
}
AXES: dict[str, Any] = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "flipped": ((0, 0, -1), (0, 1, 0), (-1, 0, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
}
Open = Callable[..., OpenedModel]


def image_of(grid: Grid) -> np.ndarray:
    values = np.full(grid.shape, -700, dtype=np.float32)
    values[5:9, 4:9, 10:20] = 700
    return values


def grid_of(kind: str = "axial", spacing: Any = (2, 2, 2)) -> Grid:
    return Grid((20, 24, 28), (10.0, -20.0, 30.0), AXES[kind], spacing)


@pytest.mark.parametrize("kind", sorted(AXES))
def test_labels_are_where_the_values_are(opened: Open, tmp_path: Path, kind: str) -> None:
    model = opened(write_results_folder(tmp_path / "net", folds=2), **NNUNET)
    grid = grid_of(kind)
    told: list[float] = []
    found = predict(model, image_of(grid), grid, progress=told.append)
    assert found.labels is not None
    assert found.labels.dtype == np.uint16
    assert np.array_equal(found.labels, image_of(grid) > 0)
    assert told == sorted(told)
    assert len(told) > 10


def test_another_spacing_is_resampled_by_the_plans(opened: Open, tmp_path: Path) -> None:
    model = opened(write_results_folder(tmp_path / "net", spacing_mm=(2.0, 1.5, 1.5)), **NNUNET)
    grid = grid_of(spacing=(3.0, 1.0, 1.0))
    labels = predict(model, image_of(grid), grid).labels
    assert labels is not None
    assert 2 * ((labels > 0) & (image_of(grid) > 0)).sum() / (labels.sum() + 200) > 0.85


def test_mirroring_gives_the_same_of_a_symmetric_network(opened: Open, tmp_path: Path) -> None:
    model = opened(write_results_folder(tmp_path / "net"), **NNUNET, options={"mirror": True})
    labels = predict(model, image_of(grid_of()), grid_of()).labels
    assert np.array_equal(labels, image_of(grid_of()) > 0)


def test_a_checkpoint_that_would_run_code_is_not_loaded(opened: Open, tmp_path: Path) -> None:
    import torch

    class Trap:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "ran").touch, ())

    folder = write_results_folder(tmp_path / "net")
    file = folder / "fold_0" / "checkpoint_final.pth"
    loaded = torch.load(file, weights_only=False)
    torch.save({**loaded, "logging": Trap()}, file)
    with pytest.raises(WeightsUnsafe, match="would run code when loaded"):
        opened(folder, **NNUNET)
    assert not (tmp_path / "ran").exists()


def test_plans_that_name_foreign_classes_are_not_run(opened: Open, tmp_path: Path) -> None:
    folder = write_results_folder(tmp_path / "net")
    plans = json.loads((folder / "plans.json").read_text())
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    architecture["network_class_name"] = "subprocess.run"
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(WeightsUnsafe, match=r"names subprocess\.run"):
        opened(folder, **NNUNET)


def test_weights_of_another_network(opened: Open, tmp_path: Path) -> None:
    folder = write_results_folder(tmp_path / "net")
    plans = json.loads((folder / "plans.json").read_text())
    kwargs = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    kwargs["features_per_stage"] = [4, 4]
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(TensorMismatch, match="do not fit the network of its plans"):
        opened(folder, **NNUNET)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"output__channels": 3}, "gives 2 channels; its manifest says 3"),
        ({"label__0__value": 7, "output__channels": None}, r"knows the label values \[0, 1\]"),
        ({"options": {"folds": [3]}}, r"lacks fold_3/checkpoint_final\.pth"),
    ],
)
def test_another_contract_than_the_manifests(
    opened: Open, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(TensorMismatch, match=said):
        opened(write_results_folder(tmp_path / "net"), **NNUNET, **changes)


def test_a_folder_without_plans(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "net" / "fold_0").mkdir(parents=True)
    (tmp_path / "net" / "fold_0" / "x").write_text("")
    with pytest.raises(TensorMismatch, match="Take the folder that holds fold_0"):
        opened(tmp_path / "net", **NNUNET)


def test_cancelled_between_tiles(opened: Open, tmp_path: Path) -> None:
    model = opened(write_results_folder(tmp_path / "net"), **NNUNET)
    with pytest.raises(PredictionCancelled):
        predict(model, image_of(grid_of()), grid_of(), cancelled=lambda: True)
    assert np.array_equal(  # and the next run is whole
        predict(model, image_of(grid_of()), grid_of()).labels, image_of(grid_of()) > 0
    )
