"""Codes by words."""

import pytest

from ennead_models.wizard.build import category_of
from ennead_models.wizard.codes import code_for, search_codes


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("liver", "SCT:10200004 Liver"),
        ("Tumour", "SCT:108369006 Neoplasm"),
        ("gall", "SCT:28231008 Gallbladder"),
        ("left kidney", "SCT:64033007 Kidney"),
        ("grey matter", "SCT:389081007 Gray Matter"),
    ],
)
def test_plain_words_find_the_segmented_structure_first(words: str, code: str) -> None:
    assert search_codes(words)[0].text == code


def test_every_word_must_be_said() -> None:
    assert all("artery" in c.meaning.lower() for c in search_codes("coronary artery"))
    assert search_codes("zzz") == search_codes(" ?! ") == []


def test_a_label_name_gives_its_code_and_side() -> None:
    found = code_for("kidney_left")
    assert found is not None
    assert (found.code.value, found.laterality) == ("64033007", "SCT:7771000 Left")
    assert code_for("label_7") is None


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("SCT:10200004 Liver", "SCT:91723000 Anatomical Structure"),
        ("SCT:108369006 Neoplasm", "SCT:49755003 Morphologically Abnormal Structure"),
    ],
)
def test_category_follows_from_the_type(code: str, category: str) -> None:
    assert category_of(code) == category
