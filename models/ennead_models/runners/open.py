"""Opening a model with the runner that its manifest names."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ennead.errors import RunnerUnavailable
from ennead_models.manifest import ModelManifest
from ennead_models.predict import OpenedModel
from ennead_models.weights import WeightsStore

#: Runner → its module; each has ``is_available()``, ``missing()``, ``open_network(…)``.
RUNNERS: Final = {
    "onnx": "ennead_models.runners.onnx",
    "torchscript": "ennead_models.runners.torchscript",
    "monai-bundle": "ennead_models.runners.monai_bundle",
    "nnunet": "ennead_models.runners.nnunet",
}
#: Runners whose weights are a zip archive of a folder.
FOLDERS: Final = frozenset({"monai-bundle", "nnunet"})


def absent(modules: Sequence[str]) -> list[str]:
    """Those of the modules that are not installed; none of them is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def missing(runner: str) -> str:
    """What is to be installed for a runner, as a sentence; "" when it can run."""
    text: str = _module(runner).missing()
    return text


def open_model(
    manifest: ModelManifest,
    digest: str,
    store: WeightsStore,
    *,
    device: str = "cpu",
    threads: int = 0,
    code_accepted: bool = False,
) -> OpenedModel:
    """Load a model's weights onto a device.

    Parameters
    ----------
    device : str
        ``cpu`` or ``cuda:0``.
    threads : int
        Threads on processors; 0 takes what the manifest asks for.
    code_accepted : bool
        Whether somebody agreed to run the code that the model's files hold.

    Raises
    ------
    RunnerUnavailable
        The runner's library is not installed.
    WeightsMissing, WeightsUnsafe, TensorMismatch
        The weights are not here, would run code that nobody accepted, or do not fit the manifest.
    """
    lacking = missing(manifest.runner)
    if lacking:
        raise RunnerUnavailable(f"{manifest.id} {manifest.version} cannot run here: {lacking}")
    path = weights_path(manifest, store)
    opened: OpenedModel = _module(manifest.runner).open_network(
        manifest,
        digest,
        path,
        device=device,
        threads=threads or max(1, round(manifest.resources.cpu)),
        code_accepted=code_accepted,
    )
    return opened


def weights_path(manifest: ModelManifest, store: WeightsStore) -> Path:
    """The weights' file; for runners that take a folder, the folder unpacked.

    Raises
    ------
    WeightsMissing, WeightsUnsafe
        They are not here, or cannot be unpacked safely.
    """
    path = store.require(manifest)
    return store.unpacked(manifest.weights.sha256) if manifest.runner in FOLDERS else path


def code_in(manifest: ModelManifest, store: WeightsStore) -> list[str]:
    """What of a model's files would run as code, one line each; only MONAI bundles hold any.

    Raises
    ------
    WeightsMissing, WeightsUnsafe
        The weights are not here, or cannot be unpacked safely.
    """
    if manifest.runner != "monai-bundle":
        return []
    from ennead_models.runners.bundle_code import code_of

    return code_of(weights_path(manifest, store), manifest.options.config)


def _module(runner: str) -> Any:
    return importlib.import_module(RUNNERS[runner])
