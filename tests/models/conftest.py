"""Weights put into a store, and opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ennead.testing.models import model_data
from ennead_models.manifest import ModelManifest, parse_model
from ennead_models.predict import OpenedModel
from ennead_models.runners import open_model
from ennead_models.weights import WeightsStore, pack_folder, sha256_of


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", 10**9)


@pytest.fixture
def opened(store: WeightsStore, tmp_path: Path) -> Callable[..., OpenedModel]:
    """Put weights (a file, or a folder that is packed) into a store and open them."""

    def build(source: Path, code_accepted: bool = False, **changes: Any) -> OpenedModel:
        file = source
        if source.is_dir():
            file = tmp_path / "packed.zip"
            pack_folder(source, file)
        pins = {"sha256": sha256_of(file), "size_bytes": file.stat().st_size}
        manifest: ModelManifest = parse_model(model_data(**changes, weights=pins), "test")
        store.add(file, manifest.weights)
        return open_model(manifest, "sha256:test", store, code_accepted=code_accepted)

    return build
