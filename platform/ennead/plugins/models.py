"""``models``: networks of the registry that a package asks when they are installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

_NEED = re.compile(
    r"(?P<id>[a-z][a-z0-9_]{1,30})(?:\s*(?P<how>>=|==)\s*(?P<version>\d+(?:\.\d+){0,2}))?"
)


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """One entry: an id, and which versions will do.

    Examples
    --------
    >>> ModelNeed.parse("head_structures>=1.2").fits("1.10.0")
    True
    >>> ModelNeed.parse("head_structures==1").fits("2.0.0")
    False
    """

    id: str
    how: str = ""
    version: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> ModelNeed:
        """``id``, ``id>=1.2`` or ``id==1`` (any 1.x.y).

        Raises
        ------
        ValueError
            It is written in another way.
        """
        found = _NEED.fullmatch(text.strip())
        if not found:
            raise ValueError(f"a model is named 'id', 'id>=1.2' or 'id==1'; got {text!r}")
        version = tuple(int(part) for part in (found["version"] or "").split(".") if part)
        return cls(found["id"], found["how"] or "", version)

    def fits(self, version: str) -> bool:
        """Whether an installed version will do."""
        given = tuple(int(part) for part in version.split("."))
        if self.how == "==":
            return given[: len(self.version)] == self.version
        return given >= self.version


def _parsed(text: str) -> str:
    ModelNeed.parse(text)
    return text


ModelNeedText = Annotated[str, AfterValidator(_parsed)]
"""``"head_structures>=1.0"``."""
