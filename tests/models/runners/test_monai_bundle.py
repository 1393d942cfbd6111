"""MONAI bundles run by MONAI, and what of their configuration is not run unasked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.errors import PredictionCancelled, TensorMismatch, WeightsUnsafe
from ennead.geometry import Grid
from ennead_models.predict import OpenedModel, predict
from ennead_models.runners.bundle_code import code_of
from ennead_models.testing.bundle import inference_config, write_bundle

BUNDLE: dict[str, Any] = {
    "runner": "monai-bundle",
    "input": {"modality": ["CT"]},
    "resources__tile": None,
}
AXES: dict[str, Any] = {
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "flipped": ((0, 0, -1), (0, 1, 0), (-1, 0, 0)),
    "coronal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "oblique": ((0, 0.6, 0.8), (0, 0.8, -0.6), (1, 0, 0)),
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
    model = opened(write_bundle(tmp_path / "bundle"), **BUNDLE)
    grid = grid_of(kind)
    told: list[float] = []
    found = predict(model, image_of(grid), grid, progress=told.append)
    assert np.array_equal(found.labels, image_of(grid) > 0)
    assert told == sorted(told)
    assert len(told) > 3


def test_another_spacing_is_resampled_and_inverted(opened: Open, tmp_path: Path) -> None:
    model = opened(write_bundle(tmp_path / "bundle", spacing_mm=(1.5, 1.5, 1.5)), **BUNDLE)
    seen = []
    for kind in ("axial", "flipped"):
        grid = grid_of(kind, (3.0, 2.0, 2.0))
        labels = predict(model, image_of(grid), grid).labels
        assert labels is not None
        both = ((labels > 0) & (image_of(grid) > 0)).sum()
        assert 2 * both / (labels.sum() + 200) > 0.9
        seen.append(labels)
    assert np.array_equal(*seen)


def test_without_inverting_the_labels_are_brought_back(opened: Open, tmp_path: Path) -> None:
    post = {
        "_target_": "Compose",
        "transforms": [{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}],
    }
    bundle = write_bundle(tmp_path / "bundle", spacing_mm=(4.0, 2.0, 2.0), postprocessing=post)
    model = opened(bundle, **BUNDLE)
    grid = grid_of("flipped")
    labels = predict(model, image_of(grid), grid).labels
    assert labels is not None
    assert 2 * ((labels > 0) & (image_of(grid) > 0)).sum() / (labels.sum() + 200) > 0.85


def test_several_channels_left_to_the_platform(opened: Open, tmp_path: Path) -> None:
    post = {"_target_": "Compose", "transforms": [{"_target_": "EnsureTyped", "keys": "pred"}]}
    bundle = write_bundle(tmp_path / "bundle", postprocessing=post)
    model = opened(bundle, **BUNDLE)
    assert np.array_equal(
        predict(model, image_of(grid_of()), grid_of()).labels, image_of(grid_of()) > 0
    )


def test_nothing_is_written_and_nothing_else_is_resolved(opened: Open, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", output_dir=str(tmp_path / "eval"))
    predict(opened(bundle, **BUNDLE), image_of(grid_of()), grid_of())
    assert not (tmp_path / "eval").exists()
    assert code_of(bundle, "configs/inference.json") == []


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"imports": ["$import subprocess"]}, "imports subprocess"),
        (
            {"network_def": {"_target_": "scripts.net.Net", "in_channels": 1}},
            "calls scripts.net.Net",
        ),
        ({"inferer": {"_target_": "os.system", "command": "touch x"}}, r"calls os\.system"),
        ({"network_def": "$__import__('os').system('touch x')"}, "uses __import__"),
        ({"preprocessing": "$().__class__.__base__.__subclasses__()"}, "uses ().__class__"),
        ({"inferer": "$torch.load('x.pt')"}, r"uses torch\.load"),
        (
            {"inferer": {"_target_": "SimpleInferer", "x": "@secret"}, "secret": "$open('/x')"},
            "uses open",
        ),
    ],
)
def test_code_of_a_bundle_runs_only_when_somebody_agreed(
    opened: Open, tmp_path: Path, sections: dict[str, Any], said: str
) -> None:
    import re

    bundle = write_bundle(tmp_path / "bundle", **sections)
    plain = said if "\\" in said else re.escape(said)
    with pytest.raises(WeightsUnsafe, match=f"{plain}.*--accept-code"):
        opened(bundle, **BUNDLE)


def test_accepted_code_runs(opened: Open, tmp_path: Path) -> None:
    network = inference_config((2, 2, 2), (16, 16, 16))["network_def"]
    network["_target_"] = "scripts.bright.make"
    bundle = write_bundle(tmp_path / "bundle", network_def=network)
    (bundle / "scripts").mkdir()
    (bundle / "scripts" / "__init__.py").write_text("")
    (bundle / "scripts" / "bright.py").write_text(
        "from monai.networks.blocks import Convolution as make\n"
    )
    model = opened(bundle, code_accepted=True, **BUNDLE)
    labels = predict(model, image_of(grid_of()), grid_of()).labels
    assert np.array_equal(labels, image_of(grid_of()) > 0)


def test_weights_that_do_not_fit(opened: Open, tmp_path: Path) -> None:
    network = inference_config((2, 2, 2), (16, 16, 16))["network_def"] | {"out_channels": 5}
    with pytest.raises(TensorMismatch, match="does not fit network_def"):
        opened(write_bundle(tmp_path / "bundle", network_def=network), **BUNDLE)


def test_another_number_of_channels_than_declared(opened: Open, tmp_path: Path) -> None:
    model = opened(write_bundle(tmp_path / "bundle"), **BUNDLE, output__channels=4)
    with pytest.raises(TensorMismatch, match=r"gives 2 channels .*manifest says 4"):
        predict(model, image_of(grid_of()), grid_of())


def test_a_pickle_of_more_than_tensors_is_not_loaded(opened: Open, tmp_path: Path) -> None:
    import torch

    bundle = write_bundle(tmp_path / "bundle")
    torch.save(torch.nn.Conv3d(1, 2, 1), bundle / "models" / "model.pt")
    with pytest.raises(WeightsUnsafe, match="would run code"):
        opened(bundle, **BUNDLE)


def test_what_is_missing_is_named(opened: Open, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    del config["inferer"]
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises(TensorMismatch, match="lacks inferer"):
        opened(bundle, **BUNDLE)
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(TensorMismatch, match="cannot be read as JSON"):
        opened(bundle, **BUNDLE, options={"config": "configs/other.json"})


def test_cancelled_between_windows(opened: Open, tmp_path: Path) -> None:
    model = opened(write_bundle(tmp_path / "bundle"), **BUNDLE)
    with pytest.raises(PredictionCancelled):
        predict(model, image_of(grid_of()), grid_of(), cancelled=lambda: True)
