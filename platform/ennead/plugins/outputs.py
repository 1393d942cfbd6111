"""``[[output]]``, ``[[threshold]]`` and ``[[test]]``: what a package returns and may be set to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ennead.plugins.part import ID, CodeRule, Part


class OutputRule(Part):
    """An output the package may return; anything else is a contract error."""

    id: str = Field(pattern=ID)
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


class ThresholdRule(Part):
    """A number a site may change inside bounds; a change enters the results' identity."""

    id: str = Field(pattern=ID)
    default: float
    site_bounds: tuple[float, float]
    title: dict[str, str] = {}


class ExpectedValue(Part):
    """Expected value of a measurement and its absolute tolerance."""

    value: float
    tolerance: float = Field(gt=0)


class ReferenceCase(Part):
    """A phantom of ``ennead.testing`` and what the package must say about it."""

    input: str = Field(pattern=r"^phantom:[a-z0-9_]+$")
    expect: dict[str, ExpectedValue]
