"""Reference cases on disk: an image and what a model must say of it.

As ``.npz`` (written by the wizard):

==================================  ========================================================
``values``                          int16 or float32[z, y, x], in the image's units
``origin_mm, axes, spacing_mm``     its grid, as :class:`ennead.geometry.Grid` has them
``labels``                          uint16[z, y, x]: the expected label map, or
``score_ids, scores``               texts and float64: the expected score of each class
==================================  ========================================================

Or a folder with ``input.nii.gz`` and ``expected.nii.gz`` (same grid) or ``expected.json``
(``{"scores": {"label id": 0.93}}``).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ennead.errors import EnneadError, ReferenceCaseFailed
from ennead.geometry import Grid
from ennead_models.predict import FloatVolume, LabelVolume, Prediction
from ennead_models.spaces import grid_of_ras


@dataclass(frozen=True, slots=True)
class Case:
    """An image and what is expected of it: labels on its grid, or scores by label id."""

    values: FloatVolume
    grid: Grid
    labels: LabelVolume | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


def read_case(path: Path) -> Case:
    """Read a reference case.

    Raises
    ------
    ReferenceCaseFailed
        It cannot be read, its labels lie on another grid, or it expects nothing at all: a case
        in which nothing is to be found would pass with any network.
    """
    try:
        case = _read_folder(path) if path.is_dir() else _read_npz(path)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, EnneadError) as error:
        raise ReferenceCaseFailed(
            f"The reference case {path.name} cannot be read: {error}. Make it anew: ennead models "
            "add, or write it as docs/reference/model-manifest.md says."
        ) from error
    if case.labels is not None and case.labels.shape != case.values.shape:
        raise ReferenceCaseFailed(
            f"The labels of the reference case {path.name} have shape {case.labels.shape}, its "
            f"image {case.values.shape}. Both must lie on one grid."
        )
    if not case.scores and (case.labels is None or not case.labels.any()):
        raise ReferenceCaseFailed(
            f"The reference case {path.name} expects nothing to be found, so any network would "
            "pass. Take an image in which the model finds something."
        )
    return case


def write_case(path: Path, values: FloatVolume, grid: Grid, expected: Prediction) -> None:
    """Write a reference case as ``.npz``; whole numbers are kept as int16."""
    stored: np.ndarray[Any, Any] = np.asarray(values, dtype=np.float32)
    if np.array_equal(stored, stored.round()) and np.abs(stored).max(initial=0) < 32768:
        stored = stored.astype(np.int16)
    content: dict[str, Any] = {
        "values": stored,
        "origin_mm": np.array(grid.origin_mm),
        "axes": np.array(grid.axes),
        "spacing_mm": np.array(grid.spacing_mm),
    }
    if expected.labels is not None:
        content["labels"] = expected.labels
    else:
        content["score_ids"] = np.array(sorted(expected.scores))
        content["scores"] = np.array([expected.scores[name] for name in sorted(expected.scores)])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **content)


def read_image(path: Path) -> tuple[FloatVolume, Grid]:
    """A NIfTI file as float32[z, y, x] and its grid.

    Raises
    ------
    ValueError
        It is not three-dimensional, or says nothing of where its voxels lie.
    GeometryNonuniform
        Its affine is sheared.
    """
    import nibabel

    image: Any = nibabel.load(path)
    if len(image.shape) != 3:
        raise ValueError(f"{path.name} needs three dimensions; it has shape {image.shape}")
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        raise ValueError(f"{path.name} has neither sform nor qform: left and right are unknown")
    values = np.ascontiguousarray(np.asarray(image.dataobj, dtype=np.float32).T)
    return values, grid_of_ras(image.affine, image.shape)


def _read_npz(path: Path) -> Case:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        values = np.ascontiguousarray(data["values"], dtype=np.float32)
        z, y, x = values.shape
        axes = tuple(tuple(float(v) for v in row) for row in data["axes"])
        grid = Grid(
            shape=(z, y, x),
            origin_mm=tuple(float(v) for v in data["origin_mm"]),  # type: ignore[arg-type]
            axes=axes,  # type: ignore[arg-type]
            spacing_mm=tuple(float(v) for v in data["spacing_mm"]),  # type: ignore[arg-type]
        )
        if "labels" in data:
            return Case(values, grid, labels=np.asarray(data["labels"], dtype=np.uint16))
        names = [str(name) for name in data["score_ids"]]
        scores = dict(zip(names, (float(v) for v in data["scores"]), strict=True))
    return Case(values, grid, scores=scores)


def _read_folder(folder: Path) -> Case:
    values, grid = read_image(folder / "input.nii.gz")
    expected = folder / "expected.nii.gz"
    if expected.exists():
        labels, other = read_image(expected)
        grid.require_same(other, "expected.nii.gz")
        return Case(values, grid, labels=labels.round().astype(np.uint16))
    stated = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["scores"]
    return Case(values, grid, scores={str(k): float(v) for k, v in stated.items()})
