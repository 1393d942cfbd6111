"""Reading attributes from the DICOM JSON Model (PS3.18 §F.2) without pydicom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def values(attributes: Mapping[str, Any], tag: str) -> list[Any]:
    """All values of ``tag`` (eight hex digits, upper case); ``[]`` when absent or empty."""
    element = attributes.get(tag)
    if not element:
        return []
    return [v for v in element.get("Value", []) if v is not None]


def text(attributes: Mapping[str, Any], tag: str, default: str = "") -> str:
    """First value as text; a person name gives its alphabetic part."""
    found = values(attributes, tag)
    if not found:
        return default
    first = found[0]
    if isinstance(first, dict):
        return str(first.get("Alphabetic") or first.get("Ideographic") or default)
    return str(first).strip()


def texts(attributes: Mapping[str, Any], tag: str) -> list[str]:
    """All values as text."""
    return [str(v).strip() for v in values(attributes, tag)]


def number(attributes: Mapping[str, Any], tag: str) -> float | None:
    """First value as a finite float, or None."""
    found = numbers(attributes, tag)
    return found[0] if found else None


def numbers(attributes: Mapping[str, Any], tag: str) -> list[float]:
    """All values as floats; ``[]`` when any is not a finite number."""
    result = []
    for value in values(attributes, tag):
        try:
            result.append(float(value))
        except (TypeError, ValueError):
            return []
        if result[-1] != result[-1] or abs(result[-1]) == float("inf"):
            return []
    return result


def items(attributes: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    """Items of a sequence; ``[]`` when absent."""
    return [v for v in values(attributes, tag) if isinstance(v, dict)]
