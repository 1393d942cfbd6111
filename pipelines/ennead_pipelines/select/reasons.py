"""Why a series, or an output computed from it, is declined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ennead.findings import Refusal, RefusalCode
from ennead.identifiers import SeriesUID


@dataclass(frozen=True, slots=True)
class Reason:
    """A refusal before it is tied to a series.

    Parameters
    ----------
    outputs : tuple of str
        Only these outputs are declined; empty declines the whole series.
    """

    code: RefusalCode
    text_key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def refusals(self, series_uid: SeriesUID) -> list[Refusal]:
        """One refusal for each output, or one for the whole package."""
        return [
            Refusal(self.code, subject, self.text_key, dict(self.values), series_uid)
            for subject in self.outputs or ("",)
        ]

    def as_json(self) -> dict[str, Any]:
        """For the table ``series_choices``."""
        return {
            "code": str(self.code),
            "text_key": self.text_key,
            "values": dict(self.values),
            "outputs": list(self.outputs),
        }
