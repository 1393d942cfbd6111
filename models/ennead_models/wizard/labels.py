"""Labels suggested from the names that a file gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ennead_models.wizard.codes import code_for


def slug(name: str) -> str:
    """An id from a name: lower-case letters, digits and ``_``, at most 31 characters."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    plain = plain if plain[:1].isalpha() else f"model_{plain}".rstrip("_")
    return (plain if len(plain) > 1 else f"{plain}_model")[:31].rstrip("_")


def labels_of(names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Label suggestions from names by value; a plain name finds its own code."""
    found = []
    for value, name in sorted(names.items()):
        words = name.replace("_", " ").strip()
        entry: dict[str, Any] = {"value": value, "id": slug(name), "title_en": words.capitalize()}
        coded = code_for(name)
        if coded:
            entry |= {"type": coded.code.text, "category": coded.code.category}
            entry |= {"laterality": coded.laterality} if coded.laterality else {}
        found.append(entry)
    return found
