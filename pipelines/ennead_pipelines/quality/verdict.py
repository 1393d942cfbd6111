"""What is found about one rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "claimed", "exempt", "FAIL"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule of one package.

    Parameters
    ----------
    outcome : str
        ``ok`` was checked here; ``claimed`` is a person's word; ``exempt`` has a reason.
    detail : str
        What was looked at, or what is wrong and what to do.
    """

    rule: str
    level: str
    outcome: Outcome
    detail: str


Problems = Iterable[str]
"""What breaks a rule, in words; none when it is kept."""
