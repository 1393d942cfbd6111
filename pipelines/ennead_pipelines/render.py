"""Texts as stored (a key and values) → texts as read.

A value may itself be a text: ``{"key": …, "values": …}``, titles by language, a list of titles
(``{"titles": […]}``) or of texts (``{"texts": […]}``), or the key of a ``jobs.detail`` text, which
shares the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ennead.texts import translate

#: Names with a text of their own, several with commas; one without a text shows its end.
NAMES = ("given.fact.", "probe.answer.")

FolderOf = Callable[[str], Path | None]
"""Folder of an installed package, for its own texts."""


def title(titles: Mapping[str, str], language: str, default: str = "") -> str:
    """The title in ``language``, else in English, else any."""
    return titles.get(language) or titles.get("en") or next(iter(titles.values()), default)


def render(key: str, language: str, values: Mapping[str, Any], folder: Path | None = None) -> str:
    """The text of ``key`` in ``language``; "" for no key.

    Numbers are written as the language writes them (decimal comma in Vietnamese).
    """
    if not key:
        return ""
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    shown = {name: _value(value, language, plain, folder) for name, value in values.items()}
    return translate(key, language, shown, package_folder=folder)


def number(value: float, decimals: int, language: str) -> str:
    """A number for people: fixed decimals, decimal comma in Vietnamese.

    Examples
    --------
    >>> number(1234.567, 1, "vi"), number(1234.567, 1, "en"), number(-0.04, 1, "en")
    ('1234,6', '1234.6', '0.0')
    """
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace(".", ",") if language == "vi" else text


def _named(key: str, language: str) -> str:
    known = translate(key, language)
    return key.rpartition(".")[2] if known == key else known


def _value(value: Any, language: str, plain: Mapping[str, Any], folder: Path | None) -> str:
    if isinstance(value, Mapping):
        if "key" in value:
            return render(value["key"], language, value.get("values", {}), folder)
        if "texts" in value:
            return "; ".join(_value(each, language, plain, folder) for each in value["texts"])
        if "titles" in value:
            return ", ".join(title(each, language) for each in value["titles"])
        return title(value, language)
    if isinstance(value, str) and value.startswith("jobs.detail."):
        return translate(value, language, plain)
    if isinstance(value, str) and value.startswith(NAMES):
        return ", ".join(_named(each, language) for each in value.split(", "))
    if isinstance(value, float):
        text = f"{value:.6g}"
        return text.replace(".", ",") if language == "vi" else text
    return str(value)
