"""``[clinical]`` and the ``prior`` of an input: what a package is told besides images."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from ennead.plugins.part import ID, Part


class PriorRule(Part):
    """Earlier findings of the same patient, given as ``context.priors``."""

    same_package: Literal[True] = True
    """Findings of this package; other packages' findings are never given."""
    max_age_days: int | None = Field(None, gt=0)
    """Days between the two study dates, at most."""


class ClinicalRules(Part):
    """Facts about the patient, each with its source and date, given as ``context.clinical``.

    Known from image headers: ``age`` (a), ``sex`` (M, F, O), ``height`` (m), ``weight`` (kg).
    Others come from the RIS. What was given enters the identity of the results.
    """

    requires: list[str] = []
    """Without any of these the package declines the study (``CLINICAL_FACT``)."""
    uses: list[str] = []
    """Given where they are known."""

    @model_validator(mode="after")
    def _names(self) -> ClinicalRules:
        twice = set(self.requires) & set(self.uses)
        if twice:
            raise ValueError(f"facts are either required or used; both: {sorted(twice)}")
        for name in (*self.requires, *self.uses):
            if not re.fullmatch(ID, name):
                raise ValueError(f"a fact's name matches {ID}; got {name!r}")
        return self
