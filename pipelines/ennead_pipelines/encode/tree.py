"""Reading the content tree of a structured report (PS3.3 §C.17.3)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from ennead.codes import Code
from ennead_pipelines.encode.codes import read_code

Key = tuple[str, str]
_ITEM_TAG = b"\xfe\xff\x00\xe0"
_CONCEPT_NAME, _CODE_VALUE, _SCHEME, _LONG_VALUE = 0x0040A043, 0x00080100, 0x00080102, 0x00080119


def key_of(item: Dataset) -> Key:
    """Value and scheme of the concept name; empty where a content item has none."""
    if _CONCEPT_NAME not in item:
        return ("", "")
    names = item.get_item(_CONCEPT_NAME)
    if isinstance(names, RawDataElement) and not names.is_implicit_VR and names.value:
        return _key_of_bytes(names.value)
    found = item[_CONCEPT_NAME].value
    return _key_of_code(found[0]) if found else ("", "")


@lru_cache(maxsize=1024)
def _key_of_bytes(written: bytes) -> Key:
    """A report repeats few concept names: each is parsed once (Explicit VR Little Endian)."""
    body = written[8:] if written[:4] == _ITEM_TAG else written
    return _key_of_code(read_dataset(io.BytesIO(body), False, True))


def _key_of_code(found: Dataset) -> Key:
    value = found.get(_CODE_VALUE) or found.get(_LONG_VALUE)
    scheme = found.get(_SCHEME)
    return (str(value.value) if value else "", str(scheme.value) if scheme else "")


def by_concept(item: Dataset) -> dict[Key, list[Dataset]]:
    """Direct children by concept name, in order; for many look-ups in one item."""
    found: dict[Key, list[Dataset]] = {}
    for child in item.get("ContentSequence") or ():
        found.setdefault(key_of(child), []).append(child)
    return found


def concept(item: Dataset) -> Code:
    """Concept name; an empty code where a content item has none."""
    names = item.get("ConceptNameCodeSequence")
    return read_code(names[0]) if names else Code("", "", "")


def is_concept(item: Dataset, name: Code) -> bool:
    """Whether the item's concept name is ``name`` (meanings may differ)."""
    return key_of(item) == (name.value, name.scheme)


def children_of(item: Dataset, name: Code | None = None, value_type: str = "") -> list[Dataset]:
    """Direct children, by concept name and value type where given."""
    return [
        child
        for child in item.get("ContentSequence") or ()
        if (name is None or is_concept(child, name))
        and (not value_type or child.ValueType == value_type)
    ]


def child_of(item: Dataset, name: Code, value_type: str = "") -> Dataset | None:
    """First such child, or None."""
    found = children_of(item, name, value_type)
    return found[0] if found else None


def in_containers(item: Dataset) -> Iterator[Dataset]:
    """Every item whose parents are all containers, the item itself first."""
    yield item
    if item.ValueType == "CONTAINER":
        for child in item.get("ContentSequence") or ():
            yield from in_containers(child)


def value_of(item: Dataset) -> float:
    """Value of a NUM at full precision."""
    measured = item.MeasuredValueSequence[0]
    exact = measured.get("FloatingPointValue")
    return float(exact if exact is not None else measured.NumericValue)
