"""Functions of packages as the API lists them, in the request's language."""

from __future__ import annotations

from typing import Any

from ennead.plugins import FunctionInput, FunctionRule
from ennead_pipelines.render import title


def function_item(rule: FunctionRule, language: str) -> dict[str, Any]:
    """A function and what it has to be given."""
    return {
        "id": rule.id,
        "title": title(rule.title, language, rule.id),
        "help": title(rule.help, language),
        "series": rule.series,
        "outputs": list(rule.outputs),
        "timeout_s": rule.timeout_s,
        "inputs": [_input(each, language) for each in rule.input],
    }


def _input(rule: FunctionInput, language: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "name": rule.name,
        "kind": rule.kind,
        "title": title(rule.title, language, rule.name),
        "optional": rule.optional,
        "default": rule.default,
    }
    if rule.kind == "points":
        item |= {"count_min": rule.count_min, "count_max": rule.count_max}
    elif rule.kind == "number":
        item |= {"unit": rule.unit, "min": rule.min, "max": rule.max}
    elif rule.kind == "choice":
        item["choices"] = [
            {"value": each.value, "title": title(each.title, language, each.value)}
            for each in rule.choices
        ]
    elif rule.kind == "roi":
        item["shapes"] = list(rule.shapes)
    return item
