"""Filling in the template of a package."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ennead.errors import Conflict, InputError
from ennead.plugins.part import ID

_TEMPLATE: Final = Path(__file__).parent / "template"
_TOKEN: Final = re.compile(r"@@(\w+)@@")

#: Modality → phantom of its reference case, threshold and its bounds.
MODALITIES: Final = {"CT": ("ball_ct", 0.0, -200.0, 400.0), "MR": ("ball_mr", 250.0, 10.0, 1000.0)}


@dataclass(frozen=True, slots=True)
class NewPackage:
    """What a new package is about.

    Parameters
    ----------
    title_vi, title_en : str
        "" takes the id.
    body_parts : sequence of str
        BodyPartExamined values that fit; none fits any.
    """

    id: str
    modality: str = "CT"
    body_parts: Sequence[str] = ()
    title_vi: str = ""
    title_en: str = ""


def write_package(new: NewPackage, folder: Path) -> list[Path]:
    """Write the package's files below ``folder``; returns them in the order of the template.

    Raises
    ------
    InputError
        The id, the modality or a body part cannot be used.
    Conflict
        ``folder`` holds something already; nothing is overwritten.
    """
    words = _words(new, folder)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty; choose another folder with --folder.")
    module = f"ennead_{new.id}"
    written = []
    for template, target in (
        ("pyproject.toml", "pyproject.toml"),
        ("README.md", "README.md"),
        ("__init__.py", f"{module}/__init__.py"),
        ("package.toml", f"{module}/package.toml"),
        ("quality.toml", f"{module}/quality.toml"),
        ("pipeline.py", f"{module}/pipeline.py"),
        ("volume.py", f"{module}/volume.py"),
        ("vi.toml", f"{module}/texts/vi.toml"),
        ("en.toml", f"{module}/texts/en.toml"),
        ("test_package.py", f"tests/test_{new.id}.py"),
    ):
        text = (_TEMPLATE / f"{template}.txt").read_text(encoding="utf-8")
        file = folder / target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_TOKEN.sub(lambda found: words[found.group(1)], text), encoding="utf-8")
        written.append(file)
    return written


def _words(new: NewPackage, folder: Path) -> dict[str, str]:
    if not re.fullmatch(ID, new.id):
        raise InputError(
            f"A package id begins with a small letter and has 2 to 31 small letters, digits and "
            f"underscores; got {new.id[:60]!r}."
        )
    if new.modality not in MODALITIES:
        known = ", ".join(MODALITIES)
        raise InputError(
            f"There is a phantom for {known}; got {new.modality[:16]!r}. Begin with one of them "
            "and change the manifest's modality."
        )
    for text in (*new.body_parts, new.title_vi, new.title_en):
        if re.search(r'["\\\n]', text):
            raise InputError(f"Titles and body parts hold no quotes or line ends; got {text!r}.")
    phantom, threshold, low, high = MODALITIES[new.modality]
    parts = [part.upper() for part in new.body_parts]
    title_en = new.title_en or new.id.replace("_", " ").capitalize()
    sentence = f" A series that names another body part than {', '.join(parts)} is refused."
    return {
        "id": new.id,
        "dashed": new.id.replace("_", "-"),
        "class": "".join(word.capitalize() for word in new.id.split("_")) + "Pipeline",
        "title_vi": new.title_vi or title_en,
        "title_en": title_en,
        "modality": new.modality,
        "body_parts": ", ".join(f'"{part}"' for part in parts),
        "body_part_sentence": sentence if parts else "",
        "phantom": phantom,
        "threshold": str(threshold),
        "low": str(low),
        "high": str(high),
        "folder": folder.name,
    }
