"""DICOMDIR files: not followed, only looked through for records that point outside the medium.

Every file of a medium is found by walking it; what the directory says is not needed and, coming
from anyone, not trusted. Offsets are not followed, so records cannot loop.
"""

from __future__ import annotations

from collections.abc import Iterator

from ennead.errors import InputError
from ennead.headers import items, texts
from ennead_pacs.prepare.header import read_header
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.prepare.peek import peek

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


def is_dicomdir(start: bytes) -> bool:
    """Whether an object's beginning says Media Storage Directory."""
    return peek(start).sop_class_uid == DICOMDIR_CLASS


def outside_records(data: bytes) -> Iterator[str]:
    """Referenced File IDs (0004,1500) that leave the medium (PS3.10 §8.2)."""
    try:
        header = read_header(Part10(data))
    except InputError:
        return
    for record in items(header.attributes, "00041220"):
        parts = texts(record, "00041500")
        if any(part in ("", ".", "..") or set(part) & set("/:\0") for part in parts):
            yield "\\".join(parts)
