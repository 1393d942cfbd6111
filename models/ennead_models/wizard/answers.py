"""Answers to what a network's files cannot say; the keys of ``answers.toml`` and of the API."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from ennead.errors import InputError
from ennead_models.manifest.base import Table
from ennead_models.manifest.parts import Channel

#: Intensities by a name; ``custom`` takes ``channels``.
INTENSITIES: Final[dict[str, list[dict[str, Any]]]] = {
    "none": [{"name": "image"}],
    "ct": [{"name": "hu", "clip": [-1000.0, 1000.0], "scale": "minmax", "to": [-1.0, 1.0]}],
    "ct-soft": [{"name": "hu", "clip": [-160.0, 240.0], "scale": "minmax"}],
    "ct-lung": [{"name": "hu", "clip": [-1000.0, 400.0], "scale": "minmax"}],
    "ct-bone": [{"name": "hu", "clip": [-450.0, 1050.0], "scale": "minmax"}],
    "zscore": [{"name": "image", "scale": "zscore"}],
    "zscore-nonzero": [{"name": "image", "scale": "zscore", "nonzero": True}],
    "minmax": [{"name": "image", "scale": "minmax"}],
    "percentiles": [{"name": "image", "clip_percentiles": [1.0, 99.0], "scale": "minmax"}],
}


class LabelAnswer(Table):
    """A label of the network."""

    value: int = Field(ge=1, le=65535)
    """Value in the label map; the number of the class."""
    id: str = ""
    """Identifier; made from the English title when empty."""
    title_en: str = ""
    title_vi: str = ""
    type: str = ""
    """``SCT:10200004 Liver``; the codes search finds it by words."""
    category: str = ""
    """Segmented property category; follows from the type when empty."""
    laterality: str = ""
    """``left``, ``right``, or a code."""
    colour: tuple[int, int, int] | None = None
    channel: int | None = None
    threshold: float = Field(0.5, ge=0, le=1)
    """For probabilities and classes."""
    site_bounds: tuple[float, float] = (0.05, 0.95)
    """Between which a site may set the threshold."""


class Answers(Table):
    """Every answer; what is left out is suggested by the file, or takes its default."""

    id: str = ""
    version: str = "1.0.0"
    title_en: str = ""
    title_vi: str = ""
    summary_en: str = ""
    """Intended use in a sentence."""
    summary_vi: str = ""
    status: Literal["research", "decision-support"] = "research"
    modality: list[str] = Field(default_factory=list)
    body_part: list[str] = Field(default_factory=list)
    procedure: str = ""
    """Code of the imaging procedure (optional)."""
    licence: str = ""
    """SPDX name, or ``LicenseRef-…`` with its text."""
    licence_text: str = ""
    url: str = ""
    """Where the weights are published (optional)."""
    owners: list[str] = Field(default_factory=list)
    trained_on: str = ""
    """Empty is shown as "not stated"."""
    limits: list[str] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    reported: list[str] = Field(default_factory=list)
    """Figures that the publisher reports, a line each."""
    dimensions: Literal[2, 3] | None = None
    input_channels: int | None = Field(None, ge=1)
    orientation: str = ""
    spacing_mm: tuple[float, float, float] | None = None
    """Along the network's axes; left out, the image keeps its own."""
    shape: list[str] = Field(default_factory=list)
    tile: list[int] = Field(default_factory=list)
    overlap: float = Field(0.25, ge=0, lt=1)
    fit: Literal["tile", "resize"] | None = None
    intensity: str = ""
    """A name of :data:`INTENSITIES`, or ``custom`` with ``channels``."""
    channels: list[Channel] = Field(default_factory=list)
    kind: Literal["labels", "probability", "classification"] | None = None
    form: Literal["channels", "map"] = "channels"
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    output_channels: int | None = Field(None, ge=1)
    labels: list[LabelAnswer] = Field(default_factory=list)
    max_slice_spacing_mm: float | None = Field(None, gt=0)
    min_slices: int | None = Field(None, ge=1)
    ram_gib: float = Field(2.0, gt=0)
    vram_gib: float = Field(0.0, ge=0)
    timeout_s: float = Field(600.0, gt=0)


def parse_answers(suggested: Mapping[str, Any], given: Mapping[str, Any]) -> Answers:
    """What was given over what the file suggests; labels are merged by their value.

    Raises
    ------
    InputError
        With every broken rule.
    """
    merged = {**suggested, **{k: v for k, v in given.items() if v not in (None, "", [], ())}}
    if "labels" in given and "labels" in suggested:
        known = {label["value"]: label for label in suggested["labels"]}
        merged["labels"] = [
            {**known.get(_mapping(label).get("value"), {}), **_mapping(label)}
            for label in given["labels"]
        ]
    try:
        return Answers.model_validate(merged)
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise InputError(f"The answers break their rules: {lines}.") from error


def read_answers(path: Path) -> dict[str, Any]:
    """An ``answers.toml``.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}.") from error


def _mapping(label: Any) -> dict[str, Any]:
    return {k: v for k, v in dict(label).items() if v not in (None, "")}
