"""Attribute matching of PS3.4 §C.2.2.2, as SQL that uses the indexes.

Values are always bound, never spliced. ``%`` and ``_`` are literal; only ``*`` and ``?`` are wild,
and a run of ``*`` is one. A UID list binds as one array.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, any_, false, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from ennead.folding import fold

Condition = ColumnElement[bool]
TextColumn = ColumnElement[Any]

_STARS = re.compile(r"\*{2,}")
_AFTER = "\U0010ffff"


def clean(value: str) -> str:
    """NFC without the padding that PS3.5 calls insignificant."""
    return unicodedata.normalize("NFC", value).strip(" \0")


def match_text(column: TextColumn, value: str, dialect: str) -> Condition:
    """Single value, wildcard (§C.2.2.2.4) or universal matching, case-sensitive."""
    pattern = _STARS.sub("*", value)
    if pattern in ("", "*"):
        return true()
    if "*" not in pattern and "?" not in pattern:
        return column == pattern
    conditions = [_wild(column, pattern, dialect)]
    prefix = re.split(r"[*?]", pattern, maxsplit=1)[0]
    if prefix:
        conditions.append(and_(column >= prefix, column < prefix + _AFTER))
    return and_(*conditions)


def match_name(folded: TextColumn, other: TextColumn | None, value: str, dialect: str) -> Condition:
    """Person names: folded on both sides, any component group may match (§C.2.2.2.1)."""
    wanted = _STARS.sub("*", fold(value.strip(" \0").rstrip("^=")))
    if wanted in ("", "*"):
        return true()
    alphabetic = match_text(folded, wanted, dialect)
    if other is None:
        return alphabetic
    # The other groups are kept as "|group|group|" so that a group is matched as a whole.
    return or_(alphabetic, and_(other != "", _wild(other, f"*|{wanted}|*", dialect)))


def match_words(columns: Sequence[TextColumn], text: str, dialect: str) -> Condition:
    """Every word of ``text``, folded, occurs in at least one of ``columns``."""
    conditions: list[Condition] = []
    for word in fold(text).replace("*", " ").replace("?", " ").split()[:8]:
        conditions.append(or_(*(_wild(column, f"*{word}*", dialect) for column in columns)))
    return and_(true(), *conditions)


def match_list(column: TextColumn, values: Sequence[str], dialect: str) -> Condition:
    """List of UID matching (§C.2.2.2.2): one bound array whatever its length."""
    wanted = [v for v in (value.strip(" \0") for value in values) if v]
    if not wanted:
        return true()
    if len(wanted) == 1:
        return column == wanted[0]
    if dialect == "postgresql":
        return column == any_(literal(wanted, ARRAY(TEXT)))
    each = func.json_each(json.dumps(wanted)).table_valued("value")
    return column.in_(select(each.c.value))


def match_range(column: TextColumn, value: str) -> Condition:
    """Dates and times: single value or range (§C.2.2.2.5); both ends included."""
    text = value.strip(" \0").replace(".", "", 2) if _DATE.match(value) else value.strip(" \0")
    text = text.replace(":", "")
    if text in ("", "-", "*"):
        return true()
    if "-" not in text:
        return column == text
    low, _, high = (part.strip() for part in text.partition("-"))
    conditions: list[Condition] = [column != ""]
    if low:
        conditions.append(column >= low)
    if high:
        # A time may be longer than its bound: 1015 includes 101559.5.
        conditions.append(column < high + "~")
    return and_(*conditions)


_DATE = re.compile(r"\s*\d{4}\.\d\d\.\d\d")


def match_integer(column: TextColumn, value: str) -> Condition:
    """Integer strings: equal as numbers."""
    text = value.strip(" \0")
    if text in ("", "*"):
        return true()
    try:
        number = int(text)
    except ValueError:
        return false()
    return column == number if -(2**31) <= number < 2**31 else false()


def _wild(column: TextColumn, pattern: str, dialect: str) -> Condition:
    if dialect == "sqlite":
        return column.op("GLOB")(pattern.replace("[", "[[]"))
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")
