"""``[[input]]``: which series fit, which are refused and why, which is best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from ennead.findings import RefusalCode
from ennead.plugins.facts import PriorRule
from ennead.plugins.part import ID, Bounds, Part
from ennead.plugins.probes import ProbeRule


class Requirement(Part):
    """A rule on one header attribute of a candidate series.

    Exactly one of ``bounds``, ``one_of``, ``none_of``, ``present``, ``absent`` decides. When it
    fails, the series is refused; with ``outputs``, only the named outputs are, and the rest runs.
    """

    id: str = Field(pattern=ID)
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


class Preference(Part):
    """How eligible series rank: smaller value first unless ``descending``."""

    attribute: str
    descending: bool = False


class InputRule(Part):
    """An input: which series fit, which are refused and why, which is best.

    An input with ``prior`` is no series: it stands for earlier findings of the same patient.
    """

    name: str = Field(pattern=ID)
    modality: list[str] = []
    """Accepted modalities (0008,0060); at least one, unless the input is ``prior``."""
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
    probe: list[ProbeRule] = []
    anatomy: list[str] = []
    """Structures wanted as ``context.anatomy[name]``; docs/reference/anatomy.md lists them."""
    prior: PriorRule | None = None

    @model_validator(mode="after")
    def _series_or_prior(self) -> InputRule:
        if self.prior is None and not self.modality:
            raise ValueError(f"input {self.name!r} needs modality, or prior")
        series_only = (self.modality, self.require, self.prefer, self.probe, self.anatomy)
        if self.prior is not None and any(series_only):
            raise ValueError(f"input {self.name!r} is prior: it takes no rules on series")
        if self.anatomy and not self.volumetric:
            raise ValueError(f"input {self.name!r} asks for anatomy, which needs a volume")
        return self
