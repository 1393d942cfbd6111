"""``[[input.probe]]``: what a few decoded slices must show before a package runs on a series."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from ennead.findings import RefusalCode
from ennead.plugins.part import ID, Part

ProbeKind = Literal["intensity", "orientation", "body_part", "completeness", "contrast_phase"]

#: What each probe may answer; ``unknown`` is an answer like any other.
PROBE_ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "intensity": ("plausible", "implausible", "unknown"),
    "orientation": ("agrees", "disagrees", "unknown"),
    "body_part": ("head", "chest", "abdomen", "pelvis", "limb", "unknown"),
    "completeness": ("whole", "cut", "blank_slices", "repeated_slices", "unknown"),
    "contrast_phase": ("none", "arterial", "portal", "unknown"),
}


class ProbeRule(Part):
    """A rule on what the pixels of a few slices say.

    Exactly one of ``one_of`` and ``none_of`` decides. A probe that cannot tell answers
    ``unknown``: list it in ``one_of`` to let such series pass, in ``none_of`` to refuse them.
    """

    id: str = Field(pattern=ID)
    kind: ProbeKind
    """What is looked at; docs/reference/probes.md says how."""
    organ: Literal["", "lungs", "head"] = ""
    """For ``completeness``: what must not touch the first or the last slice."""
    one_of: list[str] | None = None
    """Answers that pass; of several (``body_part``), any one."""
    none_of: list[str] | None = None
    """Answers that are refused; of several, any one."""
    code: RefusalCode
    """Refusal when the rule fails."""
    text: str
    """Key of the package's text catalogue; takes ``{found}`` and the probe's numbers."""
    outputs: list[str] = []
    """Output ids refused when it fails; empty refuses the series."""

    @model_validator(mode="after")
    def _known_answers(self) -> ProbeRule:
        if (self.one_of is None) == (self.none_of is None):
            raise ValueError(f"probe {self.id!r} needs exactly one of one_of, none_of")
        known = PROBE_ANSWERS[self.kind]
        unknown = set(self.one_of or self.none_of or []) - set(known)
        if unknown:
            raise ValueError(
                f"probe {self.id!r} of kind {self.kind} answers {', '.join(known)}; "
                f"{sorted(unknown)} never come"
            )
        if self.organ and self.kind != "completeness":
            raise ValueError(f"probe {self.id!r}: organ belongs to kind completeness")
        return self

    def is_met(self, answers: tuple[str, ...]) -> bool:
        """Whether these answers keep the rule."""
        if self.one_of is not None:
            return bool(set(answers) & set(self.one_of))
        return not set(answers) & set(self.none_of or [])
