"""The one catalogue of texts: Vietnamese first, English second.

Platform texts are ``texts/{vi,en}/<namespace>.toml``; a package brings
``<folder>/texts/{vi,en}.toml``. Keys are dotted; placeholders are ``{name}``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("vi", "en")


@cache
def platform_texts(language: str) -> Mapping[str, str]:
    """Every platform text of a language, keys prefixed with their namespace."""
    found: dict[str, str] = {}
    for file in sorted((Path(__file__).parent / language).glob("*.toml")):
        found |= {f"{file.stem}.{k}": v for k, v in _flatten(file).items()}
    return found


@cache
def package_texts(folder: Path, language: str) -> Mapping[str, str]:
    """The texts of the package in ``folder``; empty when it has none."""
    file = folder / "texts" / f"{language}.toml"
    return _flatten(file) if file.exists() else {}


def translate(
    key: str,
    language: str,
    values: Mapping[str, str | int | float] | None = None,
    *,
    package_folder: Path | None = None,
) -> str:
    """The text of ``key`` in ``language``, falling back to English and then to the key itself.

    A placeholder without a value stays visible as ``{name}``; numbers drop trailing zeros.
    """
    for wanted in (language, "en"):
        text = package_texts(package_folder, wanted).get(key) if package_folder else None
        text = text or platform_texts(wanted).get(key)
        if text is not None:
            return _fill(text, values or {})
    return key


def _fill(text: str, values: Mapping[str, str | int | float]) -> str:
    for name, value in values.items():
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        text = text.replace("{" + name + "}", shown)
    return text


def _flatten(file: Path) -> dict[str, str]:
    def walk(prefix: str, node: Mapping[str, object]) -> dict[str, str]:
        flat: dict[str, str] = {}
        for name, value in node.items():
            key = f"{prefix}{name}"
            flat |= walk(key + ".", value) if isinstance(value, dict) else {key: str(value)}
        return flat

    return walk("", tomllib.loads(file.read_text(encoding="utf-8")))
