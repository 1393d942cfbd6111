"""From weights and answers to a model's folder: ``model.toml``, card, reference case, test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ennead.errors import Conflict, InputError, ReferenceCaseFailed
from ennead_models.cases import write_case
from ennead_models.manifest import ModelManifest, model_digest, parse_model, read_model
from ennead_models.manifest.write import to_toml
from ennead_models.predict import Prediction, predict
from ennead_models.runners import open_model
from ennead_models.weights import WeightsStore, sha256_of
from ennead_models.wizard.answers import INTENSITIES, Answers, LabelAnswer
from ennead_models.wizard.card import card
from ennead_models.wizard.codes import DEFAULT_CATEGORY, search_codes
from ennead_models.wizard.contract import Contract
from ennead_models.wizard.labels import slug
from ennead_models.wizard.prepare import Prepared
from ennead_models.wizard.questions import questions
from ennead_models.wizard.samples import cut_to, phantom, read_sample

_CASE = "reference/case01.npz"
_COLOURS = (
    (230, 75, 53),
    (77, 187, 213),
    (0, 160, 135),
    (60, 84, 136),
    (243, 155, 127),
    (132, 145, 180),
    (145, 209, 194),
    (220, 160, 30),
)
_SIDES = {"left": "SCT:7771000 Left", "right": "SCT:24028007 Right"}
_TEST = '''"""The reference case: pytest this file, or run ``ennead models check {id}``."""

from pathlib import Path

from ennead_models.testing.reference import assert_reproduces


def test_reference_case() -> None:
    assert_reproduces(Path(__file__).parent{accepted})
'''


@dataclass(frozen=True, slots=True)
class Build:
    """Everything a folder is built from.

    Parameters
    ----------
    root : Path
        The folder becomes ``<root>/<id>/<version>``.
    keep_weights : bool
        Also put the weights into the folder, so that it can be given away.
    sample : Path or None
        A DICOM folder or a NIfTI file; None takes a phantom.
    code_accepted : bool
        Whether somebody agreed to run the code that a bundle holds.
    """

    prepared: Prepared
    contract: Contract
    answers: Answers
    store: WeightsStore
    root: Path
    keep_weights: bool = False
    sample: Path | None = None
    device: str = "cpu"
    threads: int = 1
    code_accepted: bool = False


def unanswered(contract: Contract, answers: Answers) -> list[str]:
    """Ids of questions that still need an answer."""
    return [question.id for question in questions(contract, answers) if not question.answered]


def build_folder(build: Build, told: Callable[[str], None] = lambda _: None) -> Path:
    """Write the model's folder; it appears complete or not at all.

    Raises
    ------
    InputError
        Questions are open, or the sample cannot be used.
    ModelManifestInvalid
        The answers make no valid ``model.toml``; every broken rule is named.
    Conflict
        The id and version exist already.
    WeightsUnsafe, TensorMismatch, RunnerUnavailable
        The network cannot be run as answered.
    ReferenceCaseFailed
        The model finds nothing in the sample, so no case could show that it works.
    """
    missing = unanswered(build.contract, build.answers)
    if missing:
        raise InputError(f"These questions need an answer: {', '.join(missing)}.")
    manifest, data = manifest_of(build)
    final = build.root / manifest.id / manifest.version
    if final.exists():
        raise Conflict(
            f"{manifest.id} {manifest.version} exists already in {final}. Give another version."
        )
    build.store.add(build.prepared.weights, manifest.weights)
    told(f"weights {manifest.weights.sha256[:12]}… stored")
    work = build.root / f".{manifest.id}-{manifest.version}" / manifest.id / manifest.version
    shutil.rmtree(work.parents[1], ignore_errors=True)
    work.mkdir(parents=True)
    try:
        text = to_toml(data)
        (work / "model.toml").write_text(text, encoding="utf-8")
        digest = model_digest(text.encode(), manifest.weights.sha256)
        source = _reference(build, manifest, digest, work, told)
        words = card(manifest, build.answers, build.contract.facts, source)
        (work / "CARD.md").write_text(words, encoding="utf-8")
        accepted = ", code_accepted=True" if build.code_accepted else ""
        test = _TEST.format(id=manifest.id, accepted=accepted)
        (work / "test_model.py").write_text(test, encoding="utf-8")
        if build.answers.licence_text:
            licence = build.answers.licence_text
            (work / "LICENCE.txt").write_text(licence, encoding="utf-8")
        if build.keep_weights:
            shutil.copyfile(build.prepared.weights, work / manifest.weights.file)
        read_model(work)
        final.parent.mkdir(parents=True, exist_ok=True)
        work.rename(final)
    finally:
        shutil.rmtree(work.parents[1], ignore_errors=True)
    told(f"wrote {final}")
    return final


def manifest_of(build: Build) -> tuple[ModelManifest, dict[str, Any]]:
    """The manifest that the answers make, and as the mapping that ``model.toml`` holds.

    Raises
    ------
    ModelManifestInvalid
        With every broken rule.
    """
    a, weights = build.answers, build.prepared.weights
    suffix = {"onnx": ".onnx", "torchscript": ".ts"}.get(build.contract.runner, ".zip")
    data: dict[str, Any] = {
        "schema": 1,
        "id": a.id,
        "version": a.version,
        "runner": build.contract.runner,
        "licence": a.licence,
        "licence_file": "LICENCE.txt" if a.licence_text else None,
        "owners": a.owners or None,
        "procedure": a.procedure or None,
        "title": {"vi": a.title_vi, "en": a.title_en},
        "intended_use": {
            "text": {"vi": a.summary_vi, "en": a.summary_en},
            "status": a.status,
            "trained_on": a.trained_on or None,
        },
        "weights": {
            "sha256": sha256_of(weights),
            "size_bytes": weights.stat().st_size,
            "url": a.url or None,
            "file": f"weights{suffix}" if build.keep_weights else None,
        },
        "input": _input(build.contract.runner, a),
        "output": {
            "kind": a.kind,
            "form": a.form if a.kind == "labels" else None,
            "channels": a.output_channels if a.form == "channels" else None,
            "activation": a.activation if a.kind != "labels" else None,
        },
        "resources": {
            "ram_gib": a.ram_gib,
            "vram_gib": a.vram_gib,
            "timeout_s": a.timeout_s,
            "tile": a.tile or None,
            "overlap": a.overlap,
        },
        "evidence": {"training": a.trained_on, "limits": a.limits},
        "reference": {"case": _CASE, "tolerance": {"dice": 0.99, "volume_percent": 0.5}},
        "label": [_label(a, label, index) for index, label in enumerate(a.labels)],
    }
    return parse_model(_without_none(data), "model.toml"), data


def _input(runner: str, a: Answers) -> dict[str, Any]:
    bounds = {"max": a.max_slice_spacing_mm} if a.max_slice_spacing_mm else None
    found: dict[str, Any] = {
        "modality": a.modality,
        "body_part": [part.upper() for part in a.body_part] or None,
        "slice_spacing_mm": bounds,
        "slices": {"min": a.min_slices} if a.min_slices else None,
    }
    if runner == "nnunet":
        return found | {"orientation": a.orientation}
    if runner == "monai-bundle":
        return found
    channels = [c.model_dump(exclude_defaults=True) for c in a.channels]
    channels = INTENSITIES.get(a.intensity, channels)
    if len(channels) == 1 and (a.input_channels or 1) > 1:  # the same image in each channel
        only = channels[0]
        channels = [
            {**only, "name": f"{only['name']}_{n + 1}"} for n in range(a.input_channels or 1)
        ]
    return found | {
        "dimensions": a.dimensions,
        "orientation": a.orientation,
        "spacing_mm": None if a.fit == "resize" else a.spacing_mm,
        "shape": a.shape,
        "fit": a.fit,
        "channels": channels,
    }


def _label(a: Answers, label: LabelAnswer, index: int) -> dict[str, Any]:
    threshold = {"default": label.threshold, "site_bounds": list(label.site_bounds)}
    return {
        "value": label.value,
        "id": label.id or slug(label.title_en),
        "title": {"vi": label.title_vi, "en": label.title_en},
        "type": label.type,
        "category": label.category or category_of(label.type),
        "laterality": _SIDES.get(label.laterality.lower(), label.laterality) or None,
        "colour": list(label.colour or _COLOURS[index % len(_COLOURS)]),
        "channel": label.channel,
        "threshold": threshold if a.kind != "labels" else None,
    }


def category_of(code: str) -> str:
    """The segmented property category that goes with a code's text."""
    value, _, meaning = code.partition(" ")
    for found in search_codes(meaning, 5):
        if f"SCT:{found.value}" == value:
            return found.category
    return DEFAULT_CATEGORY


def _reference(
    build: Build,
    manifest: ModelManifest,
    digest: str,
    folder: Path,
    told: Callable[[str], None],
) -> str:
    """Run the model once and keep what it says; returns what the image was."""
    if build.sample is not None:
        values, grid = read_sample(build.sample, tuple(manifest.input.modality))
        source = "a given sample image"
    else:
        values, grid = _phantom(manifest)
        source = "a synthetic phantom (no anatomy)"
    opened = open_model(
        manifest,
        digest,
        build.store,
        device=build.device,
        threads=build.threads,
        code_accepted=build.code_accepted,
    )
    try:
        found = predict(opened, values, grid)
        part, at = cut_to(values, grid, found.labels)
        if part is not values:
            values, grid = part, at
            found = predict(opened, values, grid)
    finally:
        opened.close()
    if found.labels is not None and not found.labels.any():
        raise ReferenceCaseFailed(
            f"{manifest.id} finds nothing in {source}, so no case could show that it works. Give a "
            "sample in which it finds something (--sample: a DICOM folder or a NIfTI file)."
        )
    told(f"reference case made from {source}: {_summary(manifest, found)}")
    write_case(folder / _CASE, values, grid, found)
    return source


def _phantom(manifest: ModelManifest) -> Any:
    spacing = min(manifest.input.spacing_mm or (2.0, 2.0, 2.0))
    sides = [max(64, int(n)) for n in manifest.input.shape if "n" not in n]
    side = min(max([64, *sides]), 128)
    flat = manifest.input.dimensions == 2 and manifest.input.modality[0] in ("CR", "DX", "MG")
    return phantom(manifest.input.modality[0], (1 if flat else side, side, side), spacing)


def _summary(manifest: ModelManifest, found: Prediction) -> str:
    if found.labels is None:
        return ", ".join(f"{name} {score:.3f}" for name, score in found.scores.items())
    counts = {label.id: int((found.labels == label.value).sum()) for label in manifest.label}
    return ", ".join(f"{name} {count} voxels" for name, count in counts.items() if count)


def _without_none(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _without_none(v) for k, v in data.items() if v is not None}
    if isinstance(data, list):
        return [_without_none(each) for each in data]
    return data
