"""Priorities of jobs: smaller runs first."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from ennead_pipelines.jobs.terms import INTERACTIVE, OFF_PEAK, ROUTINE, STAT

#: Name of each priority from its number on.
PRIORITY_NAMES: Final = {
    INTERACTIVE: "interactive",
    STAT: "stat",
    ROUTINE: "routine",
    OFF_PEAK: "off-peak",
}


def priority_name(priority: int) -> str:
    """The name of the highest named priority that is not above ``priority``'s number.

    Examples
    --------
    >>> priority_name(10), priority_name(40), priority_name(95), priority_name(-1)
    ('stat', 'stat', 'off-peak', 'interactive')
    """
    numbers = sorted(PRIORITY_NAMES)
    return PRIORITY_NAMES[numbers[max(0, bisect_right(numbers, priority) - 1)]]
