"""The query string of QIDO-RS (PS3.18 §8.3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from ennead.errors import InputError
from ennead_pacs.index.search import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS

LIMIT: Final = 1000
_OFFSET_LIMIT: Final = 2**31 - 1
_LONGEST_VALUE: Final = 1024
_LONGEST_LIST: Final = 1024 * 1024
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_CONTROL: Final = frozenset(("includefield", "limit", "offset", "fuzzymatching", "accept", "lang"))
#: Keys whose values are lists; a comma separates as well as a backslash.
_LISTS: Final = frozenset(
    (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "SOPClassUID",
        "SOPClassesInStudy",
        "ModalitiesInStudy",
    )
)
KEYS: Final[Mapping[str, Mapping[str, object]]] = {
    "studies": STUDY_KEYS,
    "series": {**STUDY_KEYS, **SERIES_KEYS},
    "instances": {**STUDY_KEYS, **SERIES_KEYS, **INSTANCE_KEYS},
}


@dataclass(frozen=True, slots=True)
class QidoQuery:
    """A search, ready for the index.

    ``filters`` maps keywords to values as C-FIND writes them; ``fields`` holds the tags named by
    ``includefield`` (``all`` among them); ``warnings`` become Warning headers.
    """

    filters: Mapping[str, str]
    fields: frozenset[str]
    limit: int
    offset: int
    warnings: tuple[str, ...]

    def wants(self, tag: str) -> bool:
        """Whether ``includefield`` asks for the attribute."""
        return "all" in self.fields or tag in self.fields


def parse_query(parameters: Iterable[tuple[str, str]], level: str) -> QidoQuery:
    """The search of a query string.

    Parameters
    ----------
    parameters : iterable of (name, value)
        Names are keywords or tags; a name that no dictionary knows is reported, not refused.
    level : {"studies", "series", "instances"}

    Raises
    ------
    InputError
        ``limit`` or ``offset`` is no number in range, or a value is longer than its VR allows.
    """
    filters: dict[str, str] = {}
    fields: set[str] = set()
    unmatched: list[str] = []
    warnings: list[str] = []
    limit, offset, fuzzy = LIMIT, 0, False
    for name, value in parameters:
        if name == "limit":
            limit = _number(name, value, 10**18)
        elif name == "offset":
            offset = _number(name, value, _OFFSET_LIMIT)
        elif name == "fuzzymatching":
            fuzzy = value.strip().lower() == "true"
        elif name == "includefield":
            fields |= {_field(part) for part in value.split(",") if part.strip()}
        elif name not in _CONTROL:
            keyword = _keyword(name)
            if keyword not in KEYS[level]:
                unmatched.append(re.sub(r"[^\w.]", "?", name[:64], flags=re.ASCII))
                continue
            filters[keyword] = _value(keyword, value)
    if limit > LIMIT:
        warnings.append(f"limit is at most {LIMIT}; that many are returned")
        limit = LIMIT
    if unmatched:
        warnings.append(f"not matched on: {', '.join(unmatched[:20])}")
    if fuzzy and "PatientName" in filters:
        name = filters["PatientName"].strip()
        if name and not {"*", "?"} & set(name):
            filters["PatientName"] = f"*{name}*"
    return QidoQuery(filters, frozenset(fields), limit, offset, tuple(warnings))


def _number(name: str, value: str, largest: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= largest):
        raise InputError(
            f"{name} is a whole number from 0 to {largest} (PS3.18 §8.3.4.4); got {value[:40]!r}."
        )
    return int(value)


def _keyword(name: str) -> str:
    """Keyword of a tag or keyword; the name itself when there is none."""
    if _TAG.fullmatch(name):
        return keyword_for_tag(int(name, 16)) or name
    return name


def _field(text: str) -> str:
    """Tag in upper-case hex of an ``includefield`` value; others stay as they are."""
    text = text.strip()
    if _TAG.fullmatch(text):
        return text.upper()
    if text == "all":
        return text
    tag = tag_for_keyword(text)
    return text if tag is None else f"{int(tag):08X}"


def _value(keyword: str, value: str) -> str:
    is_list = keyword in _LISTS
    if is_list:
        value = value.replace(",", "\\")
    if len(value) > (_LONGEST_LIST if is_list else _LONGEST_VALUE):
        raise InputError(
            f"The value of {keyword} ({dictionary_VR(keyword)}) has {len(value)} characters; at "
            f"most {_LONGEST_LIST if is_list else _LONGEST_VALUE} are matched."
        )
    return value
