"""Installing a model: licence, weights, code, reference case; then a row of the registry.

The folder is copied to ``<home>/models/<id>/<version>``, so that a version stays what it was when
its source changes, and can be rolled back to.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ennead.database import Database
from ennead.errors import (
    Conflict,
    EnneadError,
    LicenceNotAccepted,
    ModelManifestInvalid,
    WeightsUnsafe,
)
from ennead.security import Principal
from ennead.security.audit import record
from ennead.settings import Settings
from ennead_models.folders import DiscoveredModel, home_models
from ennead_models.manifest import MANIFEST_NAME, ModelManifest, read_model
from ennead_models.records import InstalledModel
from ennead_models.reference import Comparison, as_document, reproduce, require_reproduced
from ennead_models.registry import register
from ennead_models.runners import open_model
from ennead_models.runners.open import code_in
from ennead_models.weights import WeightsStore

Told = Callable[[str], None]


def weights_store(settings: Settings) -> WeightsStore:
    """The weights of this instance."""
    return WeightsStore(settings.weights_dir, settings.models.weights_limit_bytes)


def licence_text(model: DiscoveredModel) -> str:
    """What a person agrees to: the licence's name, and its text where the folder holds one."""
    assert model.manifest is not None
    name, file = model.manifest.licence, model.manifest.licence_file
    text = (model.folder / file).read_text(encoding="utf-8", errors="replace") if file else ""
    return f"{name}\n\n{text}".strip()


def bring_weights(model: DiscoveredModel, store: WeightsStore) -> None:
    """Take weights that lie in the model's own folder into the store; nothing is downloaded.

    Raises
    ------
    WeightsDigestMismatch
        They are not what the manifest pins.
    WeightsMissing
        They lie elsewhere and were not fetched yet.
    """
    assert model.manifest is not None
    weights = model.manifest.weights
    inside = model.folder / weights.file
    if not store.has(weights.sha256) and weights.file and inside.is_file():
        store.add(inside, weights)
    store.verify(model.manifest)


def check(
    settings: Settings,
    model: DiscoveredModel,
    *,
    device: str = "cpu",
    code_accepted: bool = False,
) -> list[Comparison]:
    """Run a model's reference case here, without installing anything.

    Raises
    ------
    ModelError
        Broken manifest, weights missing or wrong, runner missing, code nobody accepted, tensors
        that do not fit. A case that does not reproduce is told by the comparisons.
    """
    manifest = _manifest(model)
    store = weights_store(settings)
    bring_weights(model, store)
    opened = open_model(
        manifest,
        model.digest,
        store,
        device=device,
        threads=settings.models.threads,
        code_accepted=code_accepted,
    )
    try:
        return reproduce(opened, model.folder)
    finally:
        opened.close()


def install(
    settings: Settings,
    database: Database,
    model: DiscoveredModel,
    principal: Principal,
    *,
    licence_accepted: bool,
    code_accepted: bool = False,
    device: str = "cpu",
    told: Told = lambda _: None,
) -> InstalledModel:
    """Check a model in every way and write it down as ``registered``.

    Parameters
    ----------
    licence_accepted : bool
        Whether ``principal`` read and accepted the licence; it is kept with their name.
    code_accepted : bool
        Whether they agreed to run the code that a MONAI bundle holds.
    told : callable
        Given a line for each step.

    Raises
    ------
    ModelManifestInvalid, LicenceNotAccepted, WeightsMissing, WeightsDigestMismatch,
    RunnerUnavailable, WeightsUnsafe, TensorMismatch, ReferenceCaseFailed
        In this order; nothing is installed, and the refusal is in the audit trail.
    Conflict
        The version is installed with other content.
    """
    try:
        comparisons = _checked(settings, model, device, licence_accepted, code_accepted, told)
    except EnneadError as error:
        detail = {"model": model.id, "version": model.version, "code": error.code}
        with database.begin() as connection:
            record(connection, principal, "model.install", outcome="failure", detail=detail)
        raise
    manifest = _manifest(model)
    folder = _settle(settings, model)
    with database.begin() as connection:
        return register(
            connection,
            manifest,
            model.digest,
            folder,
            principal,
            code_accepted=code_accepted,
            reference=as_document(comparisons),
        )


def _checked(
    settings: Settings,
    model: DiscoveredModel,
    device: str,
    licence_accepted: bool,
    code_accepted: bool,
    told: Told,
) -> list[Comparison]:
    manifest = _manifest(model)
    if not licence_accepted:
        raise LicenceNotAccepted(
            f"{manifest.id} {manifest.version} is under the licence {manifest.licence}. Read it "
            f"(ennead models show {manifest.id}), then install with --accept-licence."
        )
    told(f"licence {manifest.licence} accepted")
    store = weights_store(settings)
    bring_weights(model, store)
    told(f"weights {manifest.weights.sha256[:12]}… verified")
    foreign = code_in(manifest, store)
    if foreign and not code_accepted:
        raise WeightsUnsafe(
            f"{manifest.id} would run code besides MONAI's: {'; '.join(foreign)}. Look at it; if "
            "it may run, install with --accept-code."
        )
    comparisons = check(settings, model, device=device, code_accepted=code_accepted)
    for each in comparisons:
        told(str(each))
    require_reproduced(manifest, comparisons)
    return comparisons


def _manifest(model: DiscoveredModel) -> ModelManifest:
    if model.manifest is None or model.error:
        raise ModelManifestInvalid(f"Model {model.id!r} is broken: {model.error}")
    return model.manifest


def _settle(settings: Settings, model: DiscoveredModel) -> Path:
    """The model's folder in the home, copied there when it lies elsewhere."""
    target = home_models(settings) / model.id / model.version
    if model.folder.resolve() == target.resolve():
        return target
    if target.is_dir():
        if read_model(target)[1] == model.digest:
            return target
        raise Conflict(
            f"{target} holds {model.id} {model.version} with other content. Changed content needs "
            "a new version."
        )
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    assert model.manifest is not None
    weights = (model.folder / (model.manifest.weights.file or "\0")).name

    def left_out(folder: str, names: list[str]) -> list[str]:
        """Weights, caches, training scripts, and other versions that lie inside."""
        others = [n for n in names if (Path(folder, n) / MANIFEST_NAME).is_file()]
        return [n for n in names if n in (weights, "__pycache__", "train")] + others

    with tempfile.TemporaryDirectory(dir=home_models(settings), prefix=".install-") as folder:
        copied = Path(folder) / model.version
        shutil.copytree(model.folder, copied, ignore=left_out)
        copied.rename(target)
    return target
