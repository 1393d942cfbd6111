"""Asking a model about a volume, and what its results must say about how they came to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ennead.contracts import ModelAnswer, ProgressSink, Volume
from ennead_gpu.fallback import Plan, attempt
from ennead_models.manifest import ModelManifest
from ennead_models.predict import predict
from ennead_pipelines.jobs.terms import ROUTINE
from ennead_pipelines.networks.as_package import NOT_STATED
from ennead_pipelines.networks.devices import (
    Answered,
    devices_for,
    on_host,
    plans,
    precision_of,
    with_tile,
)
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.warm import WARM, WarmModels

STEP: Final = "networks.step.asking"
#: Priorities of jobs (0–90) that are one step of a device's queue (0–9).
_PRIORITY_STEP: Final = 10
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
    devices: Sequence[str] | None = None,
    priority: int | None = None,
    warm: WarmModels = WARM,
) -> ModelAnswer:
    """What a model says of a volume; the network stays open for the next one.

    On a GPU the device's host runs it, with the jobs of other processes; where memory ends, tiles
    become smaller, and then the CPU does it.

    Parameters
    ----------
    thresholds : mapping
        Label id → threshold; those the model does not know are left out.
    devices : sequence of str, optional
        Where to try, the wished one first; absent, what this machine has.
    priority : int, optional
        Of the job (:mod:`ennead_pipelines.jobs.terms`); counts where runs wait for a GPU. Absent,
        what :func:`recorded` was told.

    Raises
    ------
    ModelError
        It cannot be opened or run, or nowhere was memory enough.
    """
    manifest = source.manifest
    mine = {label.id for label in manifest.label if label.threshold}
    limits = {name: value for name, value in thresholds.items() if name in mine}
    urgency = (_PRIORITY.get() if priority is None else priority) // _PRIORITY_STEP
    progress(0.0, STEP)

    def run(plan: Plan) -> Answered:
        tiled = with_tile(source, plan.tile)
        if plan.device != "cpu":
            return on_host(tiled, plan.device, volume, limits, urgency)
        with warm.use(tiled) as opened:
            found = predict(
                opened,
                volume.values,
                volume.grid,
                thresholds=limits,
                progress=lambda fraction: progress(fraction, STEP),
            )
            return Answered(found, precision_of(opened))

    answered = attempt(run, plans(source, devices or devices_for(source))).result
    _note(source, answered.precision)
    return ModelAnswer(
        model=manifest.id,
        version=manifest.version,
        digest=source.digest,
        trained_on=trained_on(manifest),
        labels=answered.prediction.labels,
        values={label.id: label.value for label in manifest.label},
        scores=dict(answered.prediction.scores),
    )


#: Priority of the job that asks.
_PRIORITY: ContextVar[int] = ContextVar("priority", default=ROUTINE)
#: What was asked since :func:`recorded` began: model id → its source and precision.
_ASKED: ContextVar[dict[str, tuple[ModelSource, str]] | None] = ContextVar("asked", default=None)


@contextmanager
def recorded(priority: int = ROUTINE) -> Iterator[dict[str, tuple[ModelSource, str]]]:
    """Which models were asked inside the block, by id: source and precision.

    Parameters
    ----------
    priority : int
        Of the job that asks.
    """
    asked: dict[str, tuple[ModelSource, str]] = {}
    token, urgency = _ASKED.set(asked), _PRIORITY.set(priority)
    try:
        yield asked
    finally:
        _ASKED.reset(token)
        _PRIORITY.reset(urgency)


def _note(source: ModelSource, precision: str) -> None:
    asked = _ASKED.get()
    if asked is not None:
        asked[source.manifest.id] = (source, precision)


def trained_on(manifest: ModelManifest) -> str:
    """The training material, in words."""
    return manifest.intended_use.trained_on or manifest.evidence.training or NOT_STATED


def parameters(source: ModelSource, precision: str, prefix: str = "") -> dict[str, str]:
    """Algorithm Parameters of a result (results-encoding §3, TID 4019), as ``key=value``.

    ``weights``, ``runtime``, ``precision`` and ``resample``; with ``prefix`` for a package that
    asked the model: ``model.<id>.weights`` …
    """
    manifest = source.manifest
    own = manifest.brings_own_transforms
    said = {
        "weights": f"sha256:{manifest.weights.sha256}",
        "runtime": runtime_of(manifest.runner),
        "precision": precision,
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
