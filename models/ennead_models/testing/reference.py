"""The reference case as a test: what ``test_model.py`` of a model's folder calls."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ennead_models.manifest import read_model
from ennead_models.reference import reproduce, require_reproduced
from ennead_models.runners import open_model
from ennead_models.weights import WeightsStore

_LIMIT = 64 * 2**30


def assert_reproduces(folder: Path, *, code_accepted: bool = False) -> None:
    """Run a model's reference case; weights come from its folder, or from ``ENNEAD_HOME``.

    Parameters
    ----------
    code_accepted : bool
        Whether somebody agreed to run the code that a MONAI bundle holds.

    Raises
    ------
    ReferenceCaseFailed
        With every number that does not reproduce.
    WeightsMissing
        They are in neither place.
    """
    manifest, digest = read_model(folder)
    with tempfile.TemporaryDirectory(prefix="ennead-model-test-") as temporary:
        home = os.environ.get("ENNEAD_HOME", "ennead-home")
        store = WeightsStore(Path(home) / "weights", _LIMIT)
        inside = folder / (manifest.weights.file or "\0")
        if not store.has(manifest.weights.sha256) and inside.name != "\0" and inside.is_file():
            store = WeightsStore(Path(temporary), _LIMIT)
            store.add(inside, manifest.weights)
        opened = open_model(manifest, digest, store, code_accepted=code_accepted)
        try:
            require_reproduced(manifest, reproduce(opened, folder))
        finally:
            opened.close()
