"""On which terms a job runs: how soon, with which thresholds, by whose word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ennead_pipelines.given.given import Given

#: ``jobs.priority``; smaller runs first.
INTERACTIVE: Final = 0
STAT: Final = 10
ROUTINE: Final = 50
OFF_PEAK: Final = 90


@dataclass(frozen=True, slots=True)
class JobTerms:
    """What a site decided about a job before it was made.

    Parameters
    ----------
    priority : int
        0 interactive, 10 stat, 50 routine, 90 off-peak.
    not_before : datetime or None
        Aware; None begins at once.
    thresholds : mapping
        Threshold id → value in force; part of the job's identity.
    rule : str
        Name of the site rule that decided; "" when none did.
    models : mapping
        Model id → digest of the version that the package may ask; part of the job's identity.
    given : Given
        Facts, earlier findings and anatomy; part of the job's identity.
    """

    priority: int = ROUTINE
    not_before: dt.datetime | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rule: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    given: Given = field(default_factory=Given)
