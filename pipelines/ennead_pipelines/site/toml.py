"""Rules and thresholds as TOML, for version control; what a rule leaves out is left out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ennead.errors import RuleInvalid
from ennead_pipelines.site.problems import parse_rules
from ennead_pipelines.site.rules import Rule

SCHEMA_VERSION: Final = 1
_BARE: Final = re.compile(r"^[A-Za-z0-9_-]+$")
_HEAD: Final = "# Rules of the site: the first that applies decides (docs/reference/rules.md).\n"


@dataclass(frozen=True, slots=True)
class SiteDocument:
    """A file's content; ``thresholds`` maps package id → threshold id → value."""

    rules: tuple[Rule, ...]
    thresholds: Mapping[str, Mapping[str, float]]


def write_toml(rules: Sequence[Rule], thresholds: Mapping[str, Mapping[str, float]]) -> str:
    """The file's text; :func:`read_toml` gives the same back."""
    lines = [f"{_HEAD}schema = {SCHEMA_VERSION}"]
    for rule in rules:
        document = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        parts = {key: document.pop(key, {}) for key in ("condition", "action")}
        lines += ["", "[[rule]]", *_pairs(document)]
        for name, part in parts.items():
            if part:
                lines += ["", f"[rule.{name}]", *_pairs(part)]
    for package, values in sorted(thresholds.items()):
        if values:
            lines += ["", f"[thresholds.{_key(package)}]", *_pairs(dict(sorted(values.items())))]
    return "\n".join(lines) + "\n"


def read_toml(text: str) -> SiteDocument:
    """Rules and thresholds of a file.

    Raises
    ------
    RuleInvalid
        It is no TOML, of another schema, or a rule is wrong; every problem is named.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleInvalid(f"The file cannot be read as TOML: {error}.") from error
    if data.get("schema") != SCHEMA_VERSION:
        raise RuleInvalid(
            f"The file has schema {data.get('schema')!r}; this version reads {SCHEMA_VERSION}."
        )
    unknown = sorted(set(data) - {"schema", "rule", "thresholds"})
    if unknown:
        raise RuleInvalid(
            f"The file has unknown keys {', '.join(unknown)}; it takes schema, [[rule]] and "
            "[thresholds.PACKAGE]."
        )
    rules = parse_rules(data.get("rule", []))
    thresholds: dict[str, dict[str, float]] = {}
    given = data.get("thresholds", {})
    for package, values in given.items() if isinstance(given, dict) else [("thresholds", given)]:
        if not isinstance(values, dict) or not all(_is_number(v) for v in values.values()):
            raise RuleInvalid(f"[thresholds.{package}] takes numbers: threshold = value.")
        thresholds[package] = {name: float(value) for name, value in values.items()}
    return SiteDocument(rules, thresholds)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}" for name, value in values.items()]


def _key(name: str) -> str:
    return name if _BARE.match(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_pairs({k: v for k, v in value.items() if v is not None})) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    # A JSON string is a TOML basic string, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
