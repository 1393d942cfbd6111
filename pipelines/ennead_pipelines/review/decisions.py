"""What a reader says about a finding."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ennead.codes import Code, dcm, private
from ennead.errors import InputError
from ennead.identifiers import TrackingUID


class DecisionState(StrEnum):
    """States a finding can be brought to (results-encoding §5)."""

    ACCEPTED = "accepted"
    EDITED = "edited"
    REJECTED = "rejected"


#: Reasons for a rejection, by their name in the API.
REASONS: Final[dict[str, Code]] = {
    "false-positive": private("false-positive"),
    "wrong-site": private("wrong-site"),
    "wrong-size": private("wrong-size"),
    "duplicate": private("duplicate"),
    "known": private("known"),
    "poor-quality": dcm("122742", "Poor image quality"),
    "other": private("other"),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A reader's decision on one finding.

    Parameters
    ----------
    finding_id : str
    tracking_uid : TrackingUID
        Names the measurement group of the first document.
    state : DecisionState
    values : mapping
        Measurement (manifest output) id → the reader's value in the unit of the measurement;
        only for ``edited``.
    reason : str
        A key of :data:`REASONS`; required for ``rejected``. For ``edited`` any text.
    comment : str
        Free text.

    Raises
    ------
    InputError
        An edit without values, a value that is not finite, or a rejection without a known reason.
    """

    finding_id: str
    tracking_uid: TrackingUID
    state: DecisionState
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        if self.state == DecisionState.EDITED and not self.values:
            raise InputError("An edit needs at least one value; send {measurement id: number}.")
        if self.state != DecisionState.EDITED and self.values:
            raise InputError(f"Only an edit carries values; this finding is {self.state}.")
        if not all(math.isfinite(v) for v in self.values.values()):
            raise InputError(f"A value must be a finite number; got {dict(self.values)}.")
        if self.state == DecisionState.REJECTED and self.reason not in REASONS:
            raise InputError(
                f"A rejection needs one of the reasons {', '.join(REASONS)}; got {self.reason!r}."
            )

    def canonical(self) -> str:
        """The decision as one line, equal for equal decisions."""
        values = {k: float(self.values[k]) for k in sorted(self.values)}
        return json.dumps(
            [self.tracking_uid, str(self.state), values, self.reason, self.comment],
            ensure_ascii=False,
        )


def latest(decisions: Iterable[Decision]) -> dict[TrackingUID, Decision]:
    """The last decision on each finding, in the order of the findings' first decisions."""
    found: dict[TrackingUID, Decision] = {}
    for decision in decisions:
        found[decision.tracking_uid] = decision
    return found
