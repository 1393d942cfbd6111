"""The tables of ``model.toml``: input, output, labels, resources, evidence, reference case.

Wherever three numbers stand for three axes, they are in the order of the network's own array
axes, which ``input.orientation`` names.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ennead.plugins.manifest import Bounds, CodeRule
from ennead_models.manifest.base import ID, Bilingual, CodedConcept, InsidePath, Table

_SIDES = ("RL", "AP", "SI")
_LENGTH = re.compile(r"[1-9]\d{0,4}|(?:[1-9]\d{0,3}\*)?n")
_STRUCTURE = CodeRule(scheme="SCT", value="91723000", meaning="Anatomical Structure")

ModalityList = Annotated[
    list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v), Field(min_length=1)
]


class Channel(Table):
    """A channel of the network's input, made from the image's values."""

    name: str = Field(pattern=ID)
    clip: tuple[float, float] | None = None
    """Values are cut to this range first."""
    clip_percentiles: tuple[float, float] | None = None
    """Or to these percentiles of the image."""
    scale: Literal["none", "minmax", "zscore", "fixed"] = "none"
    """``minmax``: the clipped range becomes ``to``; ``zscore``: by the image's own mean and
    standard deviation; ``fixed``: by ``mean`` and ``std``."""
    to: tuple[float, float] = (0.0, 1.0)
    """Range that ``minmax`` gives."""
    nonzero: bool = False
    """``zscore`` and ``clip_percentiles`` look at voxels that are not zero; the others stay 0."""
    mean: float | None = None
    std: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> Channel:
        if self.clip and self.clip_percentiles:
            raise ValueError(f"channel {self.name!r}: give clip or clip_percentiles, not both")
        for pair in (self.clip, self.clip_percentiles):
            if pair and pair[0] >= pair[1]:
                raise ValueError(f"channel {self.name!r}: {pair} must rise")
        if self.scale == "fixed" and (self.mean is None or self.std is None):
            raise ValueError(f"channel {self.name!r}: scale 'fixed' needs mean and std")
        return self


class ModelInput(Table):
    """The series a model takes, and how it becomes the network's tensor ``[1, c, …]``.

    Networks of the runners ``onnx`` and ``torchscript`` get what is written here. MONAI bundles
    and nnU-Net folders bring their own preprocessing; for them ``orientation``, ``spacing_mm``,
    ``shape`` and ``channels`` stay empty. An nnU-Net folder may state the ``orientation`` of its
    training arrays, which it does not record itself; the default is ``SPL``, as scanners store
    axial slices (``SAR`` where the plans name the reader ``NibabelIOWithReorient``).
    """

    name: str = Field("image", pattern=ID)
    modality: ModalityList
    """DICOM modalities: ``["CT"]``."""
    body_part: list[str] = Field(default_factory=list)
    """Values of Body Part Examined; a series that names another is refused."""
    slice_spacing_mm: Bounds = Bounds()
    """Slice spacing for which the model is meant."""
    pixel_spacing_mm: Bounds = Bounds()
    """Pixel spacing for which the model is meant."""
    slices: Bounds = Bounds()
    """Number of slices for which the model is meant."""
    dimensions: Literal[2, 3] = 3
    """2: the network takes slices along the first axis of ``orientation``, one after another."""
    orientation: str = Field("", pattern=r"^([RLAPSI]{3})?$")
    """Where each array axis of the network points: ``RAS``, ``SPL`` …"""
    spacing_mm: tuple[float, float, float] | None = None
    """Voxel spacing of the network's grid; absent keeps the image's own."""
    shape: list[str] = Field(default_factory=list)
    """Lengths of the spatial axes: ``"96"`` fixed, ``"n"`` any, ``"16*n"`` multiples."""
    fit: Literal["tile", "resize"] = "tile"
    """``tile`` slides over the image; ``resize`` resamples the whole image to ``shape``."""
    channels: list[Channel] = Field(default_factory=list)
    """The channels in order; each is made from the same series."""

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("shape"), list):
            data = data | {"shape": [str(length) for length in data["shape"]]}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> ModelInput:
        sides = [next(s for s in _SIDES if letter in s) for letter in self.orientation]
        if len(set(sides)) != len(sides):
            raise ValueError(f"orientation {self.orientation!r} names one direction twice")
        if self.spacing_mm and min(self.spacing_mm) <= 0:
            raise ValueError(f"spacing_mm must be positive; got {self.spacing_mm}")
        wrong = [length for length in self.shape if not _LENGTH.fullmatch(length)]
        if wrong:
            raise ValueError(f"shape takes '96', 'n' or '16*n'; got {wrong}")
        if self.shape and len(self.shape) != self.dimensions:
            raise ValueError(f"shape needs {self.dimensions} lengths; got {self.shape}")
        if self.fit == "resize" and any("n" in length for length in self.shape or ["n"]):
            raise ValueError("fit = 'resize' needs a fixed shape")
        names = [channel.name for channel in self.channels]
        if len(names) != len(set(names)):
            raise ValueError(f"channel names must differ; got {names}")
        return self


class Threshold(Table):
    """A number a site may change inside bounds; a change enters the results' identity."""

    default: float = Field(ge=0, le=1)
    site_bounds: tuple[float, float]

    @model_validator(mode="after")
    def _inside(self) -> Threshold:
        low, high = self.site_bounds
        if not 0 <= low <= self.default <= high <= 1:
            raise ValueError(
                f"need 0 <= {low} <= default {self.default} <= {high} <= 1 (site_bounds)"
            )
        return self


class ModelLabel(Table):
    """A structure that the network segments, or a class that it scores."""

    value: int = Field(ge=1, le=65535)
    """Value in the label map; for classification a serial number."""
    id: str = Field(pattern=ID)
    title: Bilingual
    """Name by language; the English one, at most 64 characters, goes into DICOM."""
    type: CodedConcept
    """Segmented property type, or the finding that the class stands for."""
    category: CodedConcept = _STRUCTURE
    """Segmented property category."""
    laterality: CodedConcept | None = None
    colour: tuple[int, int, int] = (0, 160, 220)
    """Red, green, blue, 0 to 255."""
    channel: int | None = Field(None, ge=0)
    """Channel of the network's output; absent takes ``value`` where channel 0 is background
    (``labels``, or ``softmax``), else ``value`` - 1."""
    threshold: Threshold | None = None
    """For ``probability`` and ``classification``: from which value on it counts as found."""
    plausible_ml: tuple[float, float] | None = None
    """A volume outside it is flagged, never hidden."""

    @model_validator(mode="after")
    def _shown(self) -> ModelLabel:
        if len(self.title["en"]) > 64:
            raise ValueError(f"label {self.id!r}: an English title has at most 64 characters")
        if not all(0 <= part <= 255 for part in self.colour):
            raise ValueError(f"label {self.id!r}: colour is three numbers of 0 to 255")
        return self


class ModelOutput(Table):
    """What the network gives."""

    kind: Literal["labels", "probability", "classification"]
    """``labels``: the largest channel wins; ``probability``: a threshold for each label;
    ``classification``: a score for each class of the whole image."""
    form: Literal["channels", "map"] = "channels"
    """For ``labels``: ``map`` when the network itself gives label values in one channel."""
    channels: int | None = Field(None, ge=1)
    """Channels of the output tensor, background included; checked when it runs."""
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    """What the platform applies to the network's output for ``probability`` and
    ``classification``; ``none`` when the network gives numbers of 0 to 1 already."""


class Resources(Table):
    """What a run needs."""

    cpu: float = Field(1.0, gt=0)
    """Processor cores."""
    ram_gib: float = Field(2.0, gt=0)
    vram_gib: float = Field(0.0, ge=0)
    """GPU memory; the platform measures it by a dry run and keeps to the larger."""
    cpu_ok: bool = True
    """May run without a GPU."""
    precision: list[Literal["fp16", "bf16", "fp32"]] = Field(["fp32"])
    """Precisions the model was tested with, preferred first."""
    tile: list[int] = Field(default_factory=list)
    """Voxels of a tile along the network's axes, where ``shape`` leaves them open."""
    overlap: float = Field(0.25, ge=0, lt=1)
    """Share of a tile that its neighbour covers too."""
    timeout_s: float = Field(600.0, gt=0)
    warm_s: float = Field(900.0, ge=0)
    """How long it stays loaded after its last use."""
    deterministic: bool = True
    """Same input, same answer on the same kind of device; ``false`` lets tiles of several studies
    go through the network together, which may round differently in the last bit."""


class EvidenceTest(Table):
    """One published or measured result."""

    set: str
    """The data it was measured on."""
    n: int = Field(ge=1)
    metric: str
    """``dice``, ``auroc`` …"""
    mean: float
    ci: tuple[float, float] | None = None
    """Interval of 95 %."""
    label: str = ""
    """Id of the label it speaks of; empty means over all."""
    source: str = ""
    """Where it is published."""


class Evidence(Table):
    """What is known of its quality."""

    training: str = ""
    """The training material in a sentence; empty is shown as "not stated"."""
    test: list[EvidenceTest] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)
    """Where it is known or feared to fail."""


class Tolerance(Table):
    """How near the reference case must come."""

    dice: float = Field(0.99, gt=0, le=1)
    """Least Dice of each label."""
    volume_percent: float = Field(0.5, ge=0)
    """Largest difference of each label's volume."""
    score: float = Field(0.001, gt=0)
    """Largest difference of each class's score."""


class Reference(Table):
    """The case that must reproduce before a model is installed."""

    case: InsidePath
    """``.npz`` in the model's folder (docs/reference/model-manifest.md), or a folder with
    ``input.nii.gz`` and ``expected.nii.gz`` or ``expected.json``."""
    tolerance: Tolerance = Tolerance()
