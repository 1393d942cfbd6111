"""Asking a model about a volume, and what its results must say about how they came to be."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ennead.contracts import ModelAnswer, ProgressSink, Volume
from ennead_models.manifest import ModelManifest
from ennead_models.predict import predict
from ennead_pipelines.networks.as_package import NOT_STATED
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.warm import WARM, WarmModels

STEP: Final = "networks.step.asking"
#: The library that runs the network, by runner.
_LIBRARIES: Final = {
    "onnx": ("onnxruntime", "onnxruntime-gpu"),
    "torchscript": ("torch",),
    "monai-bundle": ("monai",),
    "nnunet": ("nnunetv2",),
}


def ask(
    source: ModelSource,
    volume: Volume,
    thresholds: Mapping[str, float],
    progress: ProgressSink,
    *,
    device: str = "cpu",
    warm: WarmModels = WARM,
) -> ModelAnswer:
    """What a model says of a volume; the network stays open for the next one.

    Parameters
    ----------
    thresholds : mapping
        Label id → threshold; those the model does not know are left out.

    Raises
    ------
    ModelError
        It cannot be opened or run.
    """
    manifest = source.manifest
    mine = {label.id for label in manifest.label if label.threshold}
    limits = {name: value for name, value in thresholds.items() if name in mine}
    progress(0.0, STEP)
    with warm.use(source, device) as opened:
        found = predict(
            opened,
            volume.values,
            volume.grid,
            thresholds=limits,
            progress=lambda fraction: progress(fraction, STEP),
        )
    return ModelAnswer(
        model=manifest.id,
        version=manifest.version,
        digest=source.digest,
        trained_on=trained_on(manifest),
        labels=found.labels,
        values={label.id: label.value for label in manifest.label},
        scores=dict(found.scores),
    )


def trained_on(manifest: ModelManifest) -> str:
    """The training material, in words."""
    return manifest.intended_use.trained_on or manifest.evidence.training or NOT_STATED


def parameters(source: ModelSource, prefix: str = "") -> dict[str, str]:
    """Algorithm Parameters of a result (results-encoding §3, TID 4019), as ``key=value``.

    ``weights``, ``runtime``, ``precision`` and ``resample``; with ``prefix`` for a package that
    asked the model: ``model.<id>.weights`` …
    """
    manifest = source.manifest
    own = manifest.brings_own_transforms
    said = {
        "weights": f"sha256:{manifest.weights.sha256}",
        "runtime": runtime_of(manifest.runner),
        "precision": manifest.resources.precision[0],
        "resample": "by_the_model" if own else "labels_to_source_grid",
    }
    return {f"{prefix}{key}": value for key, value in said.items()}


def runtime_of(runner: str) -> str:
    """Runner and the version of its library: ``onnx@1.26.0``."""
    for name in _LIBRARIES[runner]:
        try:
            return f"{runner}@{version(name)}"
        except PackageNotFoundError:
            continue
    return runner
