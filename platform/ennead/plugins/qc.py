"""``[qc]``: checks of the platform on what a package measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ennead.plugins.part import Part


class QualityCheck(Part):
    """A range outside which a measurement is marked for a look, or refused."""

    min: float | None = None
    max: float | None = None
    otherwise: Literal["review", "refuse"] = Field("review", alias="else")
    """``review`` marks the finding (99ENNEAD ``check-wanted``); ``refuse`` takes values away."""
    text: str = ""
    """For ``refuse``: key of the package's text catalogue; takes ``{value}`` and the bounds."""
    outputs: list[str] = []
    """For ``refuse``: the measurements taken away; empty means the one that was checked."""

    @model_validator(mode="after")
    def _complete(self) -> QualityCheck:
        if self.min is None and self.max is None:
            raise ValueError("a quality check needs min, max or both")
        if (self.otherwise == "refuse") != bool(self.text):
            raise ValueError('a quality check needs a text with else = "refuse", and only then')
        return self

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in the range, ends included."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)
