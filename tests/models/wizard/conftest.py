"""Answers that make a whole model of each kind of file."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ennead.settings import Settings
from ennead_models.testing.bundle import write_bundle
from ennead_models.testing.nnunet_folder import write_results_folder
from ennead_models.testing.onnx_file import write_onnx
from ennead_models.testing.torchscript_file import write_torchscript

#: What no file says.
SAID: dict[str, Any] = {
    "title_en": "Bright region",
    "title_vi": "Vùng sáng",
    "summary_en": "Marks what is bright. Tests only.",
    "summary_vi": "Đánh dấu vùng sáng. Chỉ để kiểm thử.",
    "licence": "Apache-2.0",
    "modality": ["CT"],
    "labels": [
        {
            "value": 1,
            "title_en": "Bright region",
            "title_vi": "Vùng sáng",
            "type": "SCT:10200004 Liver",
        }
    ],
}
TENSOR: dict[str, Any] = {"orientation": "RAS", "intensity": "none", "tile": [32, 32, 32]}


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    """Settings of a home, for what needs no database."""
    return Settings.load(tmp_path / "home")


@pytest.fixture
def given(tmp_path: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """A file or folder of a runner's kind, and the answers that complete it."""

    numbers = count()

    def make(runner: str) -> tuple[Path, dict[str, Any]]:
        place = tmp_path / f"given-{next(numbers)}"
        place.mkdir()
        if runner == "onnx":
            return write_onnx(place / "bright_ct.onnx"), SAID | TENSOR
        if runner == "torchscript":
            return write_torchscript(place / "bright_ct.pt"), SAID | TENSOR
        if runner == "nnunet":
            return write_results_folder(place / "bright_ct"), SAID | {"orientation": "SPL"}
        return write_bundle(place / "bright_ct"), SAID

    return make
