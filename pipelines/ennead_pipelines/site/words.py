"""Words in descriptions, as people write them: without accents, case or punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from ennead.folding import fold

_WORD: Final = re.compile(r"[a-z0-9*]+")


@lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[str, ...]:
    """The folded words of a text.

    Examples
    --------
    >>> words_of("CT Ngực – CẤP CỨU_2mm")
    ('ct', 'nguc', 'cap', 'cuu', '2mm')
    """
    return tuple(_WORD.findall(fold(text)))


def says(text: str, phrase: str) -> bool:
    """Whether the words of ``phrase`` stand side by side in ``text``; ``*`` ends a word openly.

    Examples
    --------
    >>> says("CT ngực cấp cứu", "Cap Cuu"), says("CT ngực", "ng"), says("CT ngực", "ng*")
    (True, False, True)
    """
    wanted, found = words_of(phrase), words_of(text.replace("*", " "))
    return bool(wanted) and any(
        all(fnmatchcase(found[at + k], word) for k, word in enumerate(wanted))
        for at in range(len(found) - len(wanted) + 1)
    )


def says_any(text: str, phrases: Iterable[str]) -> bool:
    """Whether the text says one of the phrases."""
    return any(says(text, phrase) for phrase in phrases)
