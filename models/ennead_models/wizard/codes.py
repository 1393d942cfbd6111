"""Search for codes by words, in the SNOMED CT subset that DICOM uses (as pydicom holds it)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

#: Context groups of segmented property types, and the category each stands for (CID 7150).
_CATEGORIES: Final = (
    ((7194, 7159, 7168, 7169, 7199), "SCT:49755003 Morphologically Abnormal Structure"),
    ((7192, 7152, 7153, 7154, 7155, 7156, 7160), "SCT:91723000 Anatomical Structure"),
    ((7191, 7166), "SCT:85756007 Tissue"),
    ((7193, 7157), "SCT:260787004 Physical object"),
    ((7195, 7161), "SCT:246464006 Function"),
    ((7197,), "SCT:91720002 Body substance"),
)
_SEGMENTED: Final = frozenset(cid for cids, _ in _CATEGORIES for cid in cids)
DEFAULT_CATEGORY: Final = "SCT:91723000 Anatomical Structure"
_SIDES: Final = {"left": "SCT:7771000 Left", "right": "SCT:24028007 Right"}
_SPELLING: Final = {
    "tumour": "tumor",
    "tumours": "tumor",
    "grey": "gray",
    "oesophagus": "esophagus",
    "oedema": "edema",
    "haemorrhage": "hemorrhage",
    "haematoma": "hematoma",
    "caecum": "cecum",
}
_WORD: Final = re.compile(r"[a-z0-9]+")


def _words(text: str) -> list[str]:
    return [_SPELLING.get(word, word) for word in _WORD.findall(text.lower())]


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A concept: its SNOMED CT code, its meaning, and how a segment of it is categorised."""

    value: str
    meaning: str
    category: str
    segmented: bool

    @property
    def text(self) -> str:
        """As ``model.toml`` writes it: ``SCT:10200004 Liver``."""
        return f"SCT:{self.value} {self.meaning}"


@dataclass(frozen=True, slots=True)
class _Concept:
    """A code as pydicom lists it, under each of its meanings."""

    display: str
    meanings: tuple[str, ...]
    groups: frozenset[int]


@cache
def _dictionary() -> dict[str, _Concept]:
    """Code → concept; shown as DICOM lists it for segments, else in its shortest meaning."""
    from pydicom.sr._concepts_dict import concepts

    listed: dict[str, list[tuple[str, frozenset[int]]]] = {}
    for entries in concepts["SCT"].values():
        for value, (meaning, groups) in entries.items():
            listed.setdefault(value, []).append((meaning, frozenset(groups)))
    found = {}
    for value, every in listed.items():
        ranked = sorted(every, key=lambda e: (not e[1] & _SEGMENTED, not e[1], len(e[0])))
        meanings = tuple(meaning for meaning, _ in ranked)
        groups = frozenset(group for _, each in every for group in each)
        found[value] = _Concept(meanings[0], meanings, groups)
    return found


def search_codes(words: str, limit: int = 12) -> list[FoundCode]:
    """Concepts whose meaning holds every word (or begins with it), the nearest first.

    Concepts that DICOM lists for segments come before others, and short meanings before long.
    Where nothing is found, ``left`` and ``right`` are left out: sides are coded apart.

    Examples
    --------
    >>> [found.text for found in search_codes("liver", 1)]
    ['SCT:10200004 Liver']
    """
    wanted = _words(words)
    if not wanted:
        return []
    ranked = []
    for value, concept in _dictionary().items():
        ranks = []
        for meaning in concept.meanings:
            said = _words(meaning)
            if all(any(word.startswith(want) for word in said) for want in wanted):
                exact = sum(want in said for want in wanted)
                ranks.append((len(said) - exact, -exact, len(meaning), value))
        if ranks:
            segmented = bool(concept.groups & _SEGMENTED)
            code = FoundCode(value, concept.display, _category(concept.groups), segmented)
            ranked.append(((not segmented, *min(ranks)), code))
    if not ranked and set(wanted) & set(_SIDES):
        return search_codes(" ".join(word for word in wanted if word not in _SIDES), limit)
    return [found for _, found in sorted(ranked, key=lambda pair: pair[0])[:limit]]


@dataclass(frozen=True, slots=True)
class LabelCode:
    """What a label's name says: its concept, and the side where it names one."""

    code: FoundCode
    laterality: str = ""


def code_for(name: str) -> LabelCode | None:
    """The code for a label's name where it is plain: every word of it and nothing else.

    Examples
    --------
    >>> found = code_for("kidney_left")
    >>> found.code.text, found.laterality
    ('SCT:64033007 Kidney', 'SCT:7771000 Left')
    """
    words = _words(name)
    side = next((text for word, text in _SIDES.items() if word in words), "")
    wanted = sorted(word for word in words if word not in _SIDES)
    for found in search_codes(" ".join(wanted), 3):
        meanings = _dictionary()[found.value].meanings
        if found.segmented and any(sorted(_words(meaning)) == wanted for meaning in meanings):
            return LabelCode(found, side)
    return None


def _category(groups: frozenset[int]) -> str:
    return next((text for cids, text in _CATEGORIES if groups & set(cids)), DEFAULT_CATEGORY)
