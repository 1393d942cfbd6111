"""Rules and decisions in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ennead.texts import translate
from ennead_pipelines.jobs.terms import ROUTINE
from ennead_pipelines.lanes import Lane
from ennead_pipelines.render import render
from ennead_pipelines.site.decide import Decision
from ennead_pipelines.site.rules import PRIORITIES, Action, Condition, Rule

_BY_PRIORITY: Final = {number: name for name, number in PRIORITIES.items()}
_LISTS: Final = (
    "package",
    "source",
    "modality",
    "body_part",
    "station",
    "manufacturer",
    "series_description",
    "study_description",
)
Text = Mapping[str, Any]
"""``{"key": …, "values": …}``, as notes store it."""


def priority_name(priority: int) -> str:
    """``stat``, ``routine``, ``off-peak``; anything else as a number."""
    return _BY_PRIORITY.get(priority, str(priority))


def priority_text(priority: int) -> Text:
    """The priority's name, to be translated when it is read."""
    return _text(f"rules.priority.{priority_name(priority)}")


def rule_text(rule: Rule, language: str) -> str:
    """One sentence: when → what."""
    when = "; ".join(_shown(_condition(rule.condition), language))
    then = "; ".join(_shown(_action(rule.action), language))
    when = when or translate("rules.condition.always", language)
    return f"{when[:1].upper()}{when[1:]} → {then}"


def action_parts(decision: Decision) -> Text | None:
    """What a rule changed for a run, for the timeline; None when nothing but the default."""
    parts: list[Text] = []
    if not decision.rule:
        return None
    if decision.priority != ROUTINE:
        parts.append(_text("rules.action.run", priority=priority_text(decision.priority)))
    if decision.delayed:
        parts.append(_text("rules.action.not_before", time=f"{decision.not_before:%H:%M %d/%m/%Y}"))
    if decision.lane is not Lane.ACTIVE:
        parts.append(_text("rules.action.lane", lane=_text(f"rules.lane.{decision.lane}")))
    parts += _thresholds(decision.by_rule)
    return {"texts": parts} if parts else None


def _condition(condition: Condition) -> Iterator[Text]:
    for name in _LISTS:
        values = getattr(condition, name)
        if values:
            yield _text(f"rules.condition.{name}", values=", ".join(values))
    age = condition.age_years
    if age is not None:
        ends = {k: f"{v:g}" for k, v in (("min", age.min), ("max", age.max)) if v is not None}
        key = "age" if len(ends) == 2 else f"age_{next(iter(ends))}"
        yield _text(f"rules.condition.{key}", **ends)
    if condition.weekdays:
        days = [_text(f"rules.weekday.{day}") for day in condition.weekdays]
        yield _text("rules.condition.weekdays", values={"texts": days})
    if condition.hours is not None:
        hours = {"from": condition.hours.start, "to": condition.hours.end}
        yield _text("rules.condition.hours", **hours)


def _action(action: Action) -> Iterator[Text]:
    if not action.run:
        yield _text("rules.action.skip")
        return
    priority = _text(f"rules.priority.{action.priority}")
    if action.window is not None:
        hours = {"from": action.window.start, "to": action.window.end}
        yield _text("rules.action.run_window", priority=priority, **hours)
    else:
        yield _text("rules.action.run", priority=priority)
    if action.lane:
        yield _text("rules.action.lane", lane=_text(f"rules.lane.{action.lane}"))
    yield from _thresholds(action.thresholds)


def _thresholds(values: Mapping[str, float]) -> list[Text]:
    return [_text("rules.action.threshold", threshold=k, value=float(v)) for k, v in values.items()]


def _text(key: str, **values: Any) -> Text:
    return {"key": key, "values": values}


def _shown(texts: Iterator[Text], language: str) -> Iterator[str]:
    for each in texts:
        yield render(each["key"], language, each["values"])
