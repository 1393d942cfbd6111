"""Private codes only where the Standard has none, and each with a definition people can read."""

import re
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts

from ennead.codes import PRIVATE_CODES, PRIVATE_SCHEME, PRIVATE_SCHEME_UID, private
from ennead.identifiers import check_uid

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "private-codes.md"


def folded(meaning: str) -> str:
    """Letters and digits only, without qualifiers such as ``(finding)``."""
    bare = re.sub(r"\((finding|qualifier value|attribute|property)\)", "", meaning.casefold())
    return re.sub(r"[^a-z0-9]+", " ", bare).strip()


STANDARD = {
    folded(meaning): f"{scheme}:{value} {meaning}"
    for scheme, by_keyword in concepts.items()
    for by_value in by_keyword.values()
    for value, (meaning, *_) in by_value.items()
}


@pytest.mark.parametrize("value", sorted(PRIVATE_CODES))
def test_no_standard_concept_means_the_same(value: str) -> None:
    found = STANDARD.get(folded(PRIVATE_CODES[value]))
    assert found is None, f"use {found} instead of {PRIVATE_SCHEME}:{value}"


def test_the_comparison_finds_duplicates() -> None:
    assert folded("Poor image quality") in STANDARD
    assert folded("right AND left (qualifier value)") in STANDARD


@pytest.mark.parametrize("value", sorted(PRIVATE_CODES))
def test_every_private_code_has_its_row(value: str) -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{value}` |")]
    assert len(rows) == 1
    _, _, meaning, definition, _ = (cell.strip() for cell in rows[0].split("|"))
    assert meaning == PRIVATE_CODES[value]
    assert len(definition) > 20


def test_the_page_lists_nothing_else() -> None:
    listed = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(PRIVATE_CODES)
    assert PRIVATE_SCHEME_UID in PAGE.read_text()


def test_meanings_and_values_fit_their_attributes() -> None:
    check_uid(PRIVATE_SCHEME_UID)
    assert len(PRIVATE_SCHEME) <= 16
    meanings = [folded(m) for m in PRIVATE_CODES.values()]
    assert len(set(meanings)) == len(meanings)
    for value, meaning in PRIVATE_CODES.items():
        assert re.fullmatch(r"[a-z0-9-]{1,64}", value) and 0 < len(meaning) <= 64
        assert private(value).scheme == PRIVATE_SCHEME
