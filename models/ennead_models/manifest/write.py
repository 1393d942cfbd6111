"""A ``model.toml`` from a mapping, with its sections in the order people read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(data: Mapping[str, Any]) -> str:
    """TOML of a mapping of strings, numbers, booleans, lists and mappings.

    Plain values come first, then mappings as ``[tables]``, then lists of mappings as
    ``[[arrays of tables]]``; mappings inside those are inline. None is left out.

    Examples
    --------
    >>> print(to_toml({"schema": 1, "title": {"vi": "Gan", "en": "Liver"}}), end="")
    schema = 1
    <BLANKLINE>
    [title]
    vi = "Gan"
    en = "Liver"
    """
    return "\n".join(_lines(data)) + "\n"


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    given = {key: value for key, value in data.items() if value is not None}
    tables = {k: v for k, v in given.items() if isinstance(v, Mapping)}
    arrays = {k: v for k, v in given.items() if _is_array_of_tables(v)}
    for key, value in given.items():
        if key not in tables and key not in arrays:
            yield f"{_key(key)} = {_value(value)}"
    for key, table in tables.items():
        yield f"\n[{_key(key)}]"
        yield from _table(table)
    for key, items in arrays.items():
        for item in items:
            yield f"\n[[{_key(key)}]]"
            yield from _table(item)


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if value is not None:
            yield f"{_key(key)} = {_value(value)}"


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(_value(each) for each in value)}]"
