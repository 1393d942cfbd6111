"""The 20 head label maps: reading them, and which are held back.

Set ``head_labels_synthseg`` of the training folder; Apache-2.0, Billot et al., SynthSeg.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

import nibabel
import numpy as np
import torch
from torch import Tensor

FOLDER: Final = Path(__file__).resolve().parent
ROOT: Final = FOLDER.parents[2]


class HeadMap(NamedTuple):
    """One head: uint8[x, y, z] at 1 mm, axes to the right, front and top (RAS)."""

    name: str
    values: Tensor
    brain_centre: tuple[float, float, float]


def data_folder() -> Path:
    """The folder of real and training data (``ENNEAD_TEST_DATA``, else ``../shared/data``)."""
    return Path(os.environ.get("ENNEAD_TEST_DATA", ROOT.parent / "shared" / "data"))


def split() -> dict[str, list[str]]:
    """Names of the heads to ``train`` on and those ``held_back`` (``split.toml``)."""
    data: dict[str, list[str]] = tomllib.loads((FOLDER / "split.toml").read_text())
    return data


def read_heads(names: list[str]) -> list[HeadMap]:
    """Read label maps and turn them to RAS.

    Raises
    ------
    FileNotFoundError
        The training folder is absent.
    """
    heads = []
    for name in names:
        path = data_folder() / "train" / "head_labels_synthseg" / f"{name}.nii.gz"
        image = nibabel.as_closest_canonical(nibabel.load(path))
        values = np.ascontiguousarray(np.asanyarray(image.dataobj), dtype=np.uint8)
        brain = np.argwhere((values > 0) & (values < 200))
        x, y, z = (brain.min(0) + brain.max(0)) / 2
        heads.append(HeadMap(name, torch.from_numpy(values), (float(x), float(y), float(z))))
    return heads
