"""``package.toml``: what a package needs, refuses, returns and may claim."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ennead.codes import PRIVATE_CODES, PRIVATE_SCHEME, Code
from ennead.errors import ManifestInvalid
from ennead.findings import RefusalCode

SCHEMA_VERSION = 1
_ID = r"^[a-z][a-z0-9_]{1,30}$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CodeRule(_Part):
    """A code in the manifest; the private scheme's values must be registered."""

    scheme: str
    value: str
    meaning: str = ""

    @model_validator(mode="after")
    def _registered(self) -> CodeRule:
        if self.scheme == PRIVATE_SCHEME and self.value not in PRIVATE_CODES:
            raise ValueError(
                f"private code {self.value!r} is not registered in ennead.codes.PRIVATE_CODES"
            )
        return self

    @property
    def code(self) -> Code:
        """The concept."""
        return Code(self.value, self.scheme, self.meaning or PRIVATE_CODES.get(self.value, ""))


class IntendedUse(_Part):
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


class Bounds(_Part):
    """An inclusive range; an absent end is open."""

    min: float | None = None
    max: float | None = None

    def hold(self, value: str) -> bool:
        """Whether the text is a number inside the range."""
        try:
            number = float(value)
        except ValueError:
            return False
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)


class Requirement(_Part):
    """A rule on one header attribute of a candidate series.

    Exactly one of ``bounds``, ``one_of``, ``none_of``, ``present``, ``absent`` decides. When it
    fails, the series is refused; with ``outputs``, only the named outputs are, and the rest runs.
    """

    id: str = Field(pattern=_ID)
    attribute: str = Field(pattern=r"^([0-9A-F]{8}|slice_spacing_mm|slice_count)$")
    """Tag as eight upper-case hex digits, or a computed name."""
    code: RefusalCode
    """Refusal when the rule fails."""
    text: str
    """Key of the package's text catalogue."""
    bounds: Bounds | None = None
    one_of: list[str] | None = None
    """Accepted values, compared in upper case; any value of a multi-valued attribute counts."""
    none_of: list[str] | None = None
    """Refused substrings, compared in upper case."""
    present: bool = False
    """The attribute must have a value."""
    absent: bool = False
    """The attribute must have no value."""
    if_missing: Literal["pass", "fail"] = "pass"
    """What an absent attribute does to ``bounds`` and ``one_of``."""
    outputs: list[str] = []
    """Output ids refused when it fails; empty refuses the series."""

    @model_validator(mode="after")
    def _one_test(self) -> Requirement:
        given = [
            self.bounds is not None,
            self.one_of is not None,
            self.none_of is not None,
            self.present,
            self.absent,
        ]
        if sum(given) != 1:
            raise ValueError(
                f"requirement {self.id!r} needs exactly one of bounds, one_of, none_of, present, "
                "absent"
            )
        return self

    def is_met(self, values: Sequence[str]) -> bool:
        """Whether an attribute with these values (``[]`` when absent) keeps the rule."""
        if self.present or self.absent:
            return bool(values) == self.present
        upper = [value.upper() for value in values]
        if self.none_of is not None:
            return not any(word.upper() in value for word in self.none_of for value in upper)
        if not values:
            return self.if_missing == "pass"
        if self.one_of is not None:
            return any(value in {word.upper() for word in self.one_of} for value in upper)
        return self.bounds is not None and all(self.bounds.hold(value) for value in values)

    def placeholders(self, values: Sequence[str]) -> dict[str, str | int | float]:
        """What the text's placeholders take: the values found and the rule they break."""
        found = "\\".join(_plain(value) for value in values) or "–"
        shown: dict[str, str | int | float] = {
            "attribute": self.attribute,
            "found": found,
            "value": found,
        }
        if self.bounds and self.bounds.min is not None:
            shown["rule_min"] = self.bounds.min
        if self.bounds and self.bounds.max is not None:
            shown["rule_max"] = self.bounds.max
        if self.one_of is not None:
            shown["wanted"] = ", ".join(self.one_of)
        if self.none_of is not None:
            shown["refused"] = ", ".join(self.none_of)
        return shown


def _plain(value: str) -> str:
    """``80.0`` as people write it; anything that is no number as it is."""
    try:
        return f"{float(value):.6g}"
    except ValueError:
        return value


class Preference(_Part):
    """How eligible series rank: smaller value first unless ``descending``."""

    attribute: str
    descending: bool = False


class InputRule(_Part):
    """An input: which series fit, which are refused and why, which is best."""

    name: str = Field(pattern=_ID)
    modality: list[str] = Field(min_length=1)
    body_part: list[str] = []
    """Hints; a series that names another body part is refused, one that names none is tried."""
    optional: bool = False
    volumetric: bool = True
    """Needs a regular stack with a frame of reference."""
    quantitative: bool = True
    """Needs original, not lossy, rescaled intensities."""
    min_slices: int = 1
    require: list[Requirement] = []
    prefer: list[Preference] = []


class Runtime(_Part):
    """What a run needs and how long it may take."""

    cpu: float = Field(1.0, gt=0)
    ram_mib: int = Field(1024, gt=0)
    vram_mib: int = Field(0, ge=0)
    timeout_s: float = Field(600.0, gt=0)
    deterministic: bool = True
    """Required for results whose identity is a digest of their inputs."""


class OutputRule(_Part):
    """An output the package may return; anything else is a contract error."""

    id: str = Field(pattern=_ID)
    kind: Literal["measurement", "segmentation", "finding", "map"]
    title: dict[str, str]
    """Name by language."""
    code: CodeRule
    """Concept (measurement), finding type, or segmented property type."""
    unit: str = ""
    """UCUM, for measurements and maps."""
    method: str = ""
    """``module:function`` of the definition."""
    reference: str = ""
    """Publication or standard."""
    plausible: tuple[float, float] | None = None
    """Outside it the value is flagged, never hidden."""
    decimals: int = Field(1, ge=0, le=6)
    """Digits shown to people."""

    @model_validator(mode="after")
    def _complete(self) -> OutputRule:
        if self.kind in ("measurement", "map") and not self.unit:
            raise ValueError(f"output {self.id!r} needs a unit")
        if self.kind == "measurement" and ":" not in self.method:
            raise ValueError(f"output {self.id!r} needs method = 'module:function'")
        return self


class ThresholdRule(_Part):
    """A number a site may change inside bounds; a change enters the results' identity."""

    id: str = Field(pattern=_ID)
    default: float
    site_bounds: tuple[float, float]
    title: dict[str, str] = {}


class ReferenceCase(_Part):
    """A phantom of ``ennead.testing`` and what the package must say about it."""

    input: str = Field(pattern=r"^phantom:[a-z0-9_]+$")
    expect: dict[str, ExpectedValue]


class ExpectedValue(_Part):
    """Expected value of a measurement and its absolute tolerance."""

    value: float
    tolerance: float = Field(gt=0)


class Manifest(_Part):
    """The whole ``package.toml``."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=_ID)
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
    runtime: Runtime = Runtime()
    output: list[OutputRule] = Field(min_length=1)
    threshold: list[ThresholdRule] = []
    test: list[ReferenceCase] = []

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        ids = [o.id for o in self.output]
        if len(ids) != len(set(ids)):
            raise ValueError(f"output ids must differ; got {ids}")
        for rule in self.input:
            for requirement in rule.require:
                unknown = set(requirement.outputs) - set(ids)
                if unknown:
                    raise ValueError(
                        f"requirement {requirement.id!r} names unknown outputs {sorted(unknown)}"
                    )
        for case in self.test:
            unknown = set(case.expect) - set(ids)
            if unknown:
                raise ValueError(f"test expects unknown outputs {sorted(unknown)}")
        return self

    def output_rule(self, output_id: str) -> OutputRule | None:
        """The declared output, or None."""
        return next((o for o in self.output if o.id == output_id), None)


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
