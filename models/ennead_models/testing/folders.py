"""Whole model folders: weights, card, reference case and ``model.toml``, ready to install."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ennead.geometry import Grid
from ennead.testing.models import model_data
from ennead_models.cases import write_case
from ennead_models.manifest.write import to_toml
from ennead_models.predict import FloatVolume, Prediction
from ennead_models.testing.onnx_file import write_onnx
from ennead_models.weights import sha256_of


def bright_box(grid: Grid, bright: float = 300.0) -> FloatVolume:
    """float32[z, y, x]: -700 HU, and a box of 4 × 5 × 10 voxels of ``bright`` HU."""
    values = np.full(grid.shape, -700, dtype=np.float32)
    values[5:9, 4:9, 10:20] = bright
    return values


def small_grid() -> Grid:
    """20 × 24 × 28 voxels of 2 mm, as scanners store axial slices."""
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    return Grid((20, 24, 28), (10.0, -20.0, 30.0), axes, (2.0, 2.0, 2.0))


def write_model_folder(
    root: Path, *, threshold_hu: float = 0.0, expected_hu: float = 0.0, **changes: Any
) -> Path:
    """Write ``<root>/<id>`` with a network that segments what exceeds ``threshold_hu``.

    Parameters
    ----------
    expected_hu : float
        The reference case expects what exceeds this; another value than the network's makes it
        fail.
    changes : object
        For :func:`ennead.testing.models.model_data`.
    """
    data = model_data(**changes)
    folder = root / data["id"]
    (folder / "reference").mkdir(parents=True)
    weights = write_onnx(folder / "weights.onnx", threshold=threshold_hu)
    if "weights" not in changes:
        data["weights"] |= {"sha256": sha256_of(weights), "size_bytes": weights.stat().st_size}
    (folder / "CARD.md").write_text("# Bright region\n\nFor tests only.\n")
    values = bright_box(small_grid())
    truth = (values > expected_hu).astype(np.uint16) * data["label"][0]["value"]
    write_case(
        folder / "reference" / "case01.npz",
        values,
        small_grid(),
        Prediction(truth.astype(np.uint16)),
    )
    (folder / "model.toml").write_text(to_toml(data))
    return folder
