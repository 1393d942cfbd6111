"""``package.toml``: what a package needs, refuses, returns and may claim."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from ennead.errors import ManifestInvalid
from ennead.plugins.facts import ClinicalRules, PriorRule
from ennead.plugins.functions import FunctionChoice, FunctionInput, FunctionRule, check_functions
from ennead.plugins.inputs import InputRule, Preference, Requirement
from ennead.plugins.models import ModelNeedText
from ennead.plugins.outputs import ExpectedValue, OutputRule, ReferenceCase, ThresholdRule
from ennead.plugins.part import ID, Bounds, CodeRule, Part
from ennead.plugins.probes import ProbeRule
from ennead.plugins.qc import QualityCheck

__all__ = [
    "Bounds",
    "ClinicalRules",
    "CodeRule",
    "ExpectedValue",
    "FunctionChoice",
    "FunctionInput",
    "FunctionRule",
    "InputRule",
    "IntendedUse",
    "Manifest",
    "OutputRule",
    "Part",
    "Preference",
    "PriorRule",
    "ProbeRule",
    "QualityCheck",
    "ReferenceCase",
    "Requirement",
    "Runtime",
    "ThresholdRule",
    "read_manifest",
]

SCHEMA_VERSION = 1


class IntendedUse(Part):
    """What the package is for; shown wherever its results are."""

    text: dict[str, str]
    """Sentence by language (``vi`` and ``en`` are required)."""
    status: Literal["research", "decision-support"]
    """Never a regulatory claim."""
    contraindications: dict[str, list[str]] = {}
    """Sentences by language."""
    jurisdictions: list[str] = []
    """Where a site holds a certificate; empty means nowhere."""
    trained_on: str = ""
    """For learned methods: the training material, said on every output."""

    @model_validator(mode="after")
    def _languages(self) -> IntendedUse:
        missing = {"vi", "en"} - set(self.text)
        if missing:
            raise ValueError(f"intended_use.text lacks {', '.join(sorted(missing))}")
        return self


class Runtime(Part):
    """What a run needs and how long it may take."""

    cpu: float = Field(1.0, gt=0)
    ram_mib: int = Field(1024, gt=0)
    vram_mib: int = Field(0, ge=0)
    timeout_s: float = Field(600.0, gt=0)
    deterministic: bool = True
    """Required for results whose identity is a digest of their inputs."""
    sandbox: bool = False
    """Run apart from the platform, as packages of other distributions always are."""
    environment: Literal["shared", "venv"] = "shared"
    """``venv``: an interpreter and libraries of its own (``ennead packages environment``)."""


class Manifest(Part):
    """The whole ``package.toml``."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=ID)
    title: dict[str, str]
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    pipeline: str = Field(pattern=r"^[a-z_][a-z0-9_.]*:[A-Za-z_]\w*$")
    licence: str
    owners: list[str] = []
    quality: Literal["bronze", "silver", "gold"] = "bronze"
    algorithm_family: CodeRule = CodeRule(
        scheme="DCM", value="123104", meaning="Morphological Operations"
    )
    series_block: int = Field(ge=0, le=8)
    """Results use series numbers 9000 + 100 · block … + 99."""
    procedure: CodeRule = CodeRule(scheme="SCT", value="363679005", meaning="Imaging procedure")
    """The imaging procedure analysed (TID 1500 Procedure reported)."""
    intended_use: IntendedUse
    input: list[InputRule] = Field(min_length=1)
    clinical: ClinicalRules = ClinicalRules()
    models: list[ModelNeedText] = []
    """Models asked when they are installed and active: ``["head_structures>=1.0"]``."""
    runtime: Runtime = Runtime()
    output: list[OutputRule] = Field(min_length=1)
    threshold: list[ThresholdRule] = []
    function: list[FunctionRule] = []
    """What a reader may start in the viewer."""
    qc: dict[str, QualityCheck] = {}
    """Checks by measurement id."""
    test: list[ReferenceCase] = []

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        ids = [o.id for o in self.output]
        if len(ids) != len(set(ids)):
            raise ValueError(f"output ids must differ; got {ids}")
        for what, named in self._named_outputs():
            unknown = set(named) - set(ids)
            if unknown:
                raise ValueError(f"{what} names unknown outputs {sorted(unknown)}")
        if not self.series_inputs:
            raise ValueError("at least one input must be a series")
        if sum(rule.prior is not None for rule in self.input) > 1:
            raise ValueError("one input may be prior; several ask for the same findings")
        volumes = {rule.name: rule.volumetric for rule in self.series_inputs}
        check_functions(self.function, volumes, set(ids))
        return self

    def _named_outputs(self) -> Iterator[tuple[str, Iterable[str]]]:
        for rule in self.input:
            for requirement in rule.require:
                yield f"requirement {requirement.id!r}", requirement.outputs
            for probe in rule.probe:
                yield f"probe {probe.id!r}", probe.outputs
        for case in self.test:
            yield f"test {case.input!r}", case.expect
        for measurement, check in self.qc.items():
            yield f"qc {measurement!r}", [measurement, *check.outputs]

    @property
    def series_inputs(self) -> list[InputRule]:
        """The inputs that are series."""
        return [rule for rule in self.input if rule.prior is None]

    @property
    def prior_input(self) -> InputRule | None:
        """The input that stands for earlier findings."""
        return next((rule for rule in self.input if rule.prior is not None), None)

    def output_rule(self, output_id: str) -> OutputRule | None:
        """The declared output, or None."""
        return next((o for o in self.output if o.id == output_id), None)

    def function_rule(self, function_id: str) -> FunctionRule | None:
        """The declared function, or None."""
        return next((f for f in self.function if f.id == function_id), None)

    def input_rule(self, name: str) -> InputRule | None:
        """The declared input, or None."""
        return next((rule for rule in self.input if rule.name == name), None)


def read_manifest(path: Path) -> tuple[Manifest, str]:
    """Parse and validate a ``package.toml``.

    Returns
    -------
    (Manifest, str)
        And the manifest digest ``sha256:…`` over the file's bytes.

    Raises
    ------
    ManifestInvalid
        With every broken rule and where it is.
    """
    try:
        raw = path.read_bytes()
        data: dict[str, Any] = tomllib.loads(raw.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestInvalid(f"{path} cannot be read as TOML: {error}") from error
    if data.get("schema") != SCHEMA_VERSION:
        raise ManifestInvalid(
            f"{path} has schema {data.get('schema')!r}; this version reads {SCHEMA_VERSION}. "
            "Convert the manifest; nothing is upgraded silently."
        )
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise ManifestInvalid(f"{path} breaks its schema: {lines}") from error
    return manifest, "sha256:" + hashlib.sha256(raw).hexdigest()
