"""What is wrong with a list of rules: which rule, where, which value, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ennead.errors import RuleInvalid
from ennead.texts import platform_texts, translate
from ennead_pipelines.site.rules import RULES, Rule

_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One broken place.

    Parameters
    ----------
    position : int
        1 for the first rule; 0 for the list as a whole.
    where : str
        Dotted path inside the rule: ``condition.hours.from``.
    text_key, values
        A text of ``rules.toml``.
    """

    position: int
    rule: str
    where: str
    text_key: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """The whole sentence: rule, place, value, what to do."""
        said = translate(self.text_key, language, self.values)
        if not self.position:
            return said
        values: dict[str, str | int | float] = {
            "position": self.position,
            "rule": self.rule,
            "where": self.where or "–",
            "said": said,
        }
        return translate("rules.error.at", language, values)


def parse_rules(data: Any) -> tuple[Rule, ...]:
    """A list of rules from JSON or TOML values; says everything that is wrong at once.

    Raises
    ------
    RuleInvalid
    """
    try:
        rules = RULES.validate_python(data)
    except ValidationError as error:
        raise refuse([_problem(each, data) for each in error.errors()]) from error
    problems = [
        RuleProblem(n, rule.name, "name", "rules.error.duplicate_name", {"value": rule.name})
        for n, rule in enumerate(rules, 1)
        if rule.name in {other.name for other in rules[: n - 1]}
    ]
    if problems:
        raise refuse(problems)
    return rules


def refuse(problems: Sequence[RuleProblem]) -> RuleInvalid:
    """The error that lists ``problems``; they are kept for an answer in another language."""
    return RuleInvalid(" ".join(each.text("en") for each in problems), problems=tuple(problems))


def problems_of(error: RuleInvalid) -> tuple[RuleProblem, ...]:
    """The problems that :func:`refuse` put into an error."""
    found: tuple[RuleProblem, ...] = error.details.get("problems", ())  # type: ignore[assignment]
    return found


def _problem(error: ErrorDetails, data: Any) -> RuleProblem:
    at = error["loc"]
    position, name = 0, ""
    if at and isinstance(at[0], int):
        position = at[0] + 1
        rule = data[at[0]]
        name = str(rule.get("name", "?"))[:_SHOWN] if isinstance(rule, Mapping) else "?"
    key = f"rules.error.{error['type']}"
    values: dict[str, str | int | float] = {
        "value": _value(error["input"]),
        "detail": error["msg"],
        "key": str(at[-1]) if at else "",
    }
    for name_, given in error.get("ctx", {}).items():
        values.setdefault(name_, given if isinstance(given, int | float) else str(given))
    if key not in platform_texts("en"):
        key = "rules.error.other"
    return RuleProblem(position, name, ".".join(str(p) for p in at[1:]), key, values)


def _value(value: Any) -> str:
    shown = str(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
