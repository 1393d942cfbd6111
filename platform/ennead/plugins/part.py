"""What every table of ``package.toml`` is made of: strict, frozen, documented."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from ennead.codes import PRIVATE_CODES, PRIVATE_SCHEME, Code

#: Pattern of identifiers in manifests.
ID = r"^[a-z][a-z0-9_]{1,30}$"


class Part(BaseModel):
    """A table of the manifest; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CodeRule(Part):
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


class Bounds(Part):
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
