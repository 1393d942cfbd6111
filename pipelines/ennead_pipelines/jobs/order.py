"""In which order jobs that are due begin: by priority, with ageing, so that nothing waits for ever.

A step of priority is worth :data:`STEP_S` of waiting. A job's turn is the time from which it could
begin, plus its priority in seconds: the smallest turn goes first. A routine job (50) passes every
stat job (10) that became due two hours or more after it. Because all due jobs age alike, turns do
not change with time.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Float, Integer, cast, extract, func

from ennead_pipelines.tables import jobs

#: Seconds of waiting that weigh as much as one step of priority.
STEP_S: Final = 180.0
_SECONDS_A_DAY: Final = 86_400.0


def turn(dialect: str) -> ColumnElement[float]:
    """A job's turn, in seconds of an epoch of its own (``dialect``: sqlite or postgresql)."""
    due: ColumnElement[Any]
    if dialect == "sqlite":
        due = func.julianday(jobs.c.not_before) * _SECONDS_A_DAY
    else:
        due = cast(extract("epoch", jobs.c.not_before), Float)
    return due + jobs.c.priority * STEP_S


def claim_order(dialect: str) -> tuple[ColumnElement[Any], ...]:
    """``order_by`` of due jobs: interactive calls first, then by turn, then as they were made."""
    called = cast(jobs.c.priority > 0, Integer)
    return (called, turn(dialect), jobs.c.created_at, jobs.c.id)
