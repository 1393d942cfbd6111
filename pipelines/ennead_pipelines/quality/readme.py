"""README: what goes in, what comes out, what is refused, what it cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

_SECTIONS = {
    "what goes in (a heading with “input”)": r"input|needs",
    "what comes out (a heading with “output”)": r"output|returns|measures",
    "what is refused (a heading with “refuse”)": r"refus|declin",
}
_LIMITS = r"limit|failure|fails|cannot"
_HEADING = re.compile(r"^#{1,4}\s+(.+?)\s*$", re.MULTILINE)


def find_readme(folder: Path, distribution: str) -> str:
    """The text beside the package, above it, or in its distribution's metadata; "" without any."""
    for file in (folder / "README.md", folder.parent / "README.md"):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    try:
        return str(metadata(distribution).json.get("description", "")) if distribution else ""
    except PackageNotFoundError:
        return ""


def readme(text: str) -> Iterator[str]:
    """The three headings that a reader looks for."""
    if not text.strip():
        yield "there is no README.md"
        return
    headings = "\n".join(_HEADING.findall(text)).casefold()
    for what, pattern in _SECTIONS.items():
        if not re.search(pattern, headings):
            yield f"the README does not say {what}"


def documented_failure_modes(text: str) -> Iterator[str]:
    """A section on limits that lists at least two."""
    for match in _HEADING.finditer(text):
        if re.search(_LIMITS, match.group(1).casefold()):
            body = text[match.end() :]
            following = _HEADING.search(body)
            body = body[: following.start()] if following else body
            if len(re.findall(r"^\s*[*-] ", body, re.MULTILINE)) >= 2:
                return
    yield "the README has no section “Limits” with a list of what it cannot do"
