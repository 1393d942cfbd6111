"""Opening an installed model: what was installed, or nothing."""

from __future__ import annotations

from ennead.errors import ModelManifestInvalid
from ennead_models.manifest import read_model
from ennead_models.predict import OpenedModel
from ennead_models.records import InstalledModel
from ennead_models.runners import open_model
from ennead_models.weights import WeightsStore


def open_installed(
    model: InstalledModel, store: WeightsStore, *, device: str = "cpu", threads: int = 0
) -> OpenedModel:
    """Load an installed model onto a device.

    ``model`` and ``store`` may come from another process (both can be pickled).

    Raises
    ------
    ModelManifestInvalid
        Its folder was changed after it was installed.
    RunnerUnavailable, WeightsMissing, WeightsUnsafe, TensorMismatch
        As :func:`ennead_models.runners.open_model`.
    """
    _, digest = read_model(model.folder)
    if digest != model.digest:
        raise ModelManifestInvalid(
            f"{model.folder} was changed after {model.model} {model.version} was installed "
            f"({model.digest}, now {digest}). Restore it; changed content needs a new version."
        )
    return open_model(
        model.manifest,
        model.digest,
        store,
        device=device,
        threads=threads,
        code_accepted=model.code_accepted,
    )
