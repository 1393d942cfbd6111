"""The whole ``model.toml``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ennead.plugins.manifest import CodeRule
from ennead_models.manifest.base import ID, Bilingual, CodedConcept, InsidePath, Table
from ennead_models.manifest.parts import (
    Evidence,
    ModelInput,
    ModelLabel,
    ModelOutput,
    Reference,
    Resources,
)

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+\-]*(?: (?:AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+\-]*)*")

_RESERVED = frozenset({"codes", "drafts"})


class ModelUse(Table):
    """What the model is for; shown wherever its results are."""

    text: Bilingual
    """A sentence by language."""
    status: Literal["research", "decision-support"] = "research"
    """Never a regulatory claim."""
    trained_on: str = ""
    """The training material, said on every output; empty is shown as "not stated"."""
    contraindications: dict[str, list[str]] = Field(default_factory=dict)
    """Sentences by language: whom it is not for."""
    jurisdictions: list[str] = Field(default_factory=list)
    """Where a site holds a certificate; empty means nowhere."""


class Weights(Table):
    """The weights by reference: one file, known by its hash and never by its address.

    ONNX and TorchScript: the network's file. MONAI bundle and nnU-Net: a zip archive of the
    folder, so that its configuration is pinned too.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the file: the identity of the model in every result."""
    size_bytes: int = Field(gt=0)
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    """Where ``ennead models fetch`` finds it; nothing else ever downloads it."""
    file: InsidePath = ""
    """Or a file in the model's folder."""


class RunnerOptions(Table):
    """Particulars of a runner; each is for the runner named."""

    input_name: str = ""
    """onnx: the graph's input, where it has several."""
    output_name: str = ""
    """onnx: the graph's output, where it has several."""
    config: InsidePath = "configs/inference.json"
    """monai-bundle: the configuration that holds network, transforms and inferer."""
    folds: list[int] = Field(default_factory=list)
    """nnunet: folds whose networks are averaged; empty takes all there are."""
    checkpoint: str = Field("checkpoint_final.pth", pattern=r"^[\w.-]+$")
    """nnunet: the checkpoint's file name."""
    mirror: bool = False
    """nnunet: also run mirrored and average (eight times slower)."""


class ModelManifest(Table):
    """The whole ``model.toml``."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=ID)
    """Equals the folder's name (or its parent's, when the folder is named by the version)."""
    title: Bilingual
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    """SemVer; part of the result identity."""
    runner: Literal["onnx", "torchscript", "monai-bundle", "nnunet"]
    licence: str
    """SPDX expression, or ``LicenseRef-…`` with ``licence_file``; shown before installing."""
    licence_file: InsidePath = ""
    """The licence's text in the model's folder."""
    card: InsidePath = "CARD.md"
    """The model card in the model's folder."""
    owners: list[str] = Field(default_factory=list)
    procedure: CodedConcept = CodeRule(scheme="SCT", value="363679005", meaning="Imaging procedure")
    """The imaging procedure analysed (TID 1500 Procedure reported)."""
    intended_use: ModelUse
    weights: Weights
    input: ModelInput
    output: ModelOutput
    label: list[ModelLabel] = Field(min_length=1)
    resources: Resources = Resources()
    options: RunnerOptions = RunnerOptions()
    evidence: Evidence = Evidence()
    reference: Reference

    @property
    def brings_own_transforms(self) -> bool:
        """Whether the model itself holds its pre- and postprocessing."""
        return self.runner in ("monai-bundle", "nnunet")

    def label_of(self, value: int) -> ModelLabel | None:
        """The label with this value, or None."""
        return next((label for label in self.label if label.value == value), None)

    def channel_of(self, label: ModelLabel) -> int:
        """The channel of the network's output that speaks of ``label``."""
        if label.channel is not None:
            return label.channel
        background = self.output.kind == "labels" or (
            self.output.kind == "probability" and self.output.activation == "softmax"
        )
        return label.value if background else label.value - 1

    @field_validator("id")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in _RESERVED:
            raise ValueError(f"the ids {', '.join(sorted(_RESERVED))} are addresses of the API")
        return value

    @model_validator(mode="after")
    def _licence(self) -> ModelManifest:
        if not _SPDX.fullmatch(self.licence):
            raise ValueError(f"licence must be an SPDX expression; got {self.licence!r}")
        if self.licence.startswith("LicenseRef-") and not self.licence_file:
            raise ValueError(f"licence {self.licence!r} needs licence_file with its text")
        return self

    @model_validator(mode="after")
    def _labels(self) -> ModelManifest:
        for what in ("value", "id"):
            given = [getattr(label, what) for label in self.label]
            if len(given) != len(set(given)):
                raise ValueError(f"label {what}s must differ; got {given}")
        for label in self.label:
            if self.output.kind != "labels" and label.threshold is None:
                raise ValueError(f"label {label.id!r} needs a threshold ({self.output.kind})")
            if self.output.kind == "labels" and label.threshold is not None:
                raise ValueError(f"label {label.id!r}: kind 'labels' takes no threshold")
            channels = self.output.channels
            if self.output.form == "channels" and channels is not None:
                if self.channel_of(label) >= channels:
                    raise ValueError(
                        f"label {label.id!r} is channel {self.channel_of(label)}; the output has "
                        f"{channels} (0 to {channels - 1})"
                    )
        if self.output.form == "map" and self.output.kind != "labels":
            raise ValueError("form 'map' goes with kind 'labels' only")
        return self

    @model_validator(mode="after")
    def _tensor(self) -> ModelManifest:
        given = self.input
        if self.brings_own_transforms:
            turned = given.orientation and self.runner != "nnunet"
            if turned or given.spacing_mm or given.shape or given.channels:
                raise ValueError(
                    f"runner {self.runner!r} brings its own preprocessing; leave out "
                    "input.orientation, spacing_mm, shape and channels"
                )
            if given.dimensions != 3 or self.output.kind == "classification":
                raise ValueError(f"runner {self.runner!r} segments volumes")
            return self
        if not (given.orientation and given.shape and given.channels):
            raise ValueError(f"runner {self.runner!r} needs input.orientation, shape and channels")
        if self.output.kind == "classification" and given.fit != "resize":
            if any("n" not in length for length in given.shape):
                raise ValueError("a classifier with a fixed shape needs input.fit = 'resize'")
        if self.resources.tile and len(self.resources.tile) != given.dimensions:
            raise ValueError(f"resources.tile needs {given.dimensions} lengths")
        return self
