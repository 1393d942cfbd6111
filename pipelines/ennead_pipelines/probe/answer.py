"""What a probe says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """One or several of the values of :data:`ennead.plugins.probes.PROBE_ANSWERS`.

    Parameters
    ----------
    values : tuple of str
        ``("unknown",)`` where the slices do not tell.
    numbers : mapping
        What it rests on, units in the names; absent numbers could not be measured.
    """

    values: tuple[str, ...]
    numbers: Mapping[str, float | str] = field(default_factory=dict)

    @classmethod
    def unknown(cls, **numbers: float | str) -> Answer:
        """The slices do not tell."""
        return cls((UNKNOWN,), numbers)
