"""The manifest's own requirements on a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead.plugins.manifest import InputRule, Requirement
from ennead_pipelines.select.reasons import Reason
from ennead_pipelines.select.stack import spacing_hint_mm


def attribute_values(attribute: str, slices: Sequence[JSONAttributes]) -> list[list[str]]:
    """Distinct value lists of a tag or computed name over the slices, in order of appearance."""
    if attribute == "slice_count":
        return [[str(len(slices))]]
    if attribute == "slice_spacing_mm":
        spacing = spacing_hint_mm(slices)
        return [[] if spacing is None else [f"{spacing:.6g}"]]
    found = dict.fromkeys(tuple(headers.texts(s, attribute)) for s in slices)
    return [list(values) for values in found]


def unmet(rule: InputRule, slices: Sequence[JSONAttributes]) -> Iterator[Reason]:
    """A reason for each requirement that the series does not meet."""
    for requirement in rule.require:
        for values in attribute_values(requirement.attribute, slices):
            if not _meets(requirement, [v for v in values if v]):
                yield _reason(requirement, values)
                break


def _meets(rule: Requirement, values: list[str]) -> bool:
    if rule.present:
        return bool(values)
    if rule.absent:
        return not values
    upper = [value.upper() for value in values]
    if rule.none_of is not None:
        return not any(word.upper() in value for word in rule.none_of for value in upper)
    if not values:
        return rule.if_missing == "pass"
    if rule.one_of is not None:
        return any(value in {word.upper() for word in rule.one_of} for value in upper)
    return all(_inside(rule, value) for value in values)


def _inside(rule: Requirement, value: str) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    low = rule.bounds.min if rule.bounds else None
    high = rule.bounds.max if rule.bounds else None
    return (low is None or number >= low) and (high is None or number <= high)


def _reason(rule: Requirement, values: list[str]) -> Reason:
    found = "\\".join(_plain(value) for value in values) or "–"
    shown: dict[str, str | int | float] = {
        "attribute": rule.attribute,
        "found": found,
        "value": found,
    }
    if rule.bounds and rule.bounds.min is not None:
        shown["rule_min"] = rule.bounds.min
    if rule.bounds and rule.bounds.max is not None:
        shown["rule_max"] = rule.bounds.max
    if rule.one_of is not None:
        shown["wanted"] = ", ".join(rule.one_of)
    if rule.none_of is not None:
        shown["refused"] = ", ".join(rule.none_of)
    return Reason(rule.code, rule.text, shown, tuple(rule.outputs))


def _plain(value: str) -> str:
    """``80.0`` as people write it; anything that is no number as it is."""
    try:
        return f"{float(value):.6g}"
    except ValueError:
        return value
