"""The states of an installed model, and which may follow which.

::

    registered ──► validated ──► shadow ──► pilot ──► active
        └───────────────────────────▲          │        │
                                    └──────────┴────────┘   (one step back)

Any state may go to ``retired``; a retired version comes back as ``shadow``, or by a rollback as
``active``. One version of a model is active at a time: promoting another retires it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ennead.errors import TransitionRefused


class ModelState(StrEnum):
    """Where a model stands in its life at this site."""

    REGISTERED = "registered"
    """Installed; does not run on arrival."""
    VALIDATED = "validated"
    """Judged on local data; does not run on arrival."""
    SHADOW = "shadow"
    """Runs on arrival; only those who manage models see its results."""
    PILOT = "pilot"
    """Runs on arrival; chosen readers see its results and decide on them."""
    ACTIVE = "active"
    """Runs on arrival; results go to the archive."""
    RETIRED = "retired"
    """No longer runs; its results stay."""

    @property
    def runs(self) -> bool:
        """Whether studies that arrive are computed."""
        return self in (ModelState.SHADOW, ModelState.PILOT, ModelState.ACTIVE)


TRANSITIONS: Final[dict[ModelState, frozenset[ModelState]]] = {
    ModelState.REGISTERED: frozenset({ModelState.VALIDATED, ModelState.SHADOW, ModelState.RETIRED}),
    ModelState.VALIDATED: frozenset({ModelState.SHADOW, ModelState.RETIRED}),
    ModelState.SHADOW: frozenset({ModelState.PILOT, ModelState.ACTIVE, ModelState.RETIRED}),
    ModelState.PILOT: frozenset({ModelState.SHADOW, ModelState.ACTIVE, ModelState.RETIRED}),
    ModelState.ACTIVE: frozenset({ModelState.SHADOW, ModelState.PILOT, ModelState.RETIRED}),
    ModelState.RETIRED: frozenset({ModelState.SHADOW}),
}

#: States that a model reaches only with a validation report, or a reason in words.
JUSTIFIED: Final = frozenset({ModelState.VALIDATED, ModelState.PILOT, ModelState.ACTIVE})
_REASON_LENGTH: Final = 10


def check_transition(
    model: str, before: ModelState, after: ModelState, *, reason: str, report: str
) -> None:
    """Say whether a model may go from one state to another.

    Parameters
    ----------
    report : str
        Identifier of a validation report on local data; "" when there is none.

    Raises
    ------
    TransitionRefused
        Not from this state; or neither a report nor a reason of at least ten characters.
    """
    if after not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(TRANSITIONS[before]))
        raise TransitionRefused(
            f"{model} is {before}; from there it can go to {allowed}, not to {after}.",
            before=before,
            after=after,
        )
    if after in JUSTIFIED and not report and len(reason.strip()) < _REASON_LENGTH:
        raise TransitionRefused(
            f"{model} goes to {after} with a validation report on local data, or with a written "
            f"reason (at least {_REASON_LENGTH} characters). Validate it, or say why not.",
            before=before,
            after=after,
        )
