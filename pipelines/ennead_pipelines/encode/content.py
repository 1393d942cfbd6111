"""Content items of structured reports (PS3.3 §C.17.3), one function per value type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from ennead.codes import Code
from ennead_pipelines.encode.codes import code_item, read_code
from ennead_pipelines.encode.sources import reference

CONTAINS: Final = "CONTAINS"
HAS_CONCEPT_MOD: Final = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT: Final = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT: Final = "HAS ACQ CONTEXT"
HAS_PROPERTIES: Final = "HAS PROPERTIES"


def _item(value_type: str, name: Code, relationship: str, children: Iterable[Dataset]) -> Dataset:
    item = Dataset()
    if relationship:
        item.RelationshipType = relationship
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [code_item(name)]
    nested = list(children)
    if nested:
        item.ContentSequence = nested
    return item


def container(
    name: Code, children: Iterable[Dataset], *, relationship: str = CONTAINS, template: str = ""
) -> Dataset:
    """CONTAINER; ``template`` is the TID it follows, ``relationship`` empty for the root."""
    item = _item("CONTAINER", name, relationship, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        made_with = Dataset()
        made_with.MappingResource = "DCMR"
        made_with.TemplateIdentifier = template
        item.ContentTemplateSequence = [made_with]
    return item


def code(
    name: Code, value: Code, relationship: str = CONTAINS, children: Iterable[Dataset] = ()
) -> Dataset:
    """CODE."""
    item = _item("CODE", name, relationship, children)
    item.ConceptCodeSequence = [code_item(value)]
    return item


def text(name: Code, value: str, relationship: str = CONTAINS) -> Dataset:
    """TEXT."""
    item = _item("TEXT", name, relationship, ())
    item.TextValue = value
    return item


def uidref(name: Code, value: str, relationship: str = CONTAINS) -> Dataset:
    """UIDREF."""
    item = _item("UIDREF", name, relationship, ())
    item.UID = value
    return item


def person(name: Code, value: str, relationship: str = HAS_OBS_CONTEXT) -> Dataset:
    """PNAME."""
    item = _item("PNAME", name, relationship, ())
    item.PersonName = value
    return item


def number(
    name: Code,
    value: float,
    unit: Code,
    relationship: str = CONTAINS,
    children: Iterable[Dataset] = (),
) -> Dataset:
    """NUM; a value that sixteen characters round keeps its double beside it (PS3.3 §C.18.1)."""
    item = _item("NUM", name, relationship, children)
    measured = Dataset()
    measured.NumericValue = DSfloat(float(value), auto_format=True)
    if float(str(measured.NumericValue)) != float(value):
        measured.FloatingPointValue = float(value)
    measured.MeasurementUnitsCodeSequence = [code_item(unit)]
    item.MeasuredValueSequence = [measured]
    return item


def image(
    name: Code,
    sop_class_uid: str,
    sop_instance_uid: str,
    relationship: str = CONTAINS,
    segments: Sequence[int] = (),
) -> Dataset:
    """IMAGE; ``segments`` are the segment numbers it is about."""
    item = _item("IMAGE", name, relationship, ())
    referenced = reference(sop_class_uid, sop_instance_uid)
    if segments:
        referenced.ReferencedSegmentNumber = list(segments)
    item.ReferencedSOPSequence = [referenced]
    return item


# --- Reading -----------------------------------------------------------------------------------


Key = tuple[str, str]
_CONCEPT_NAME, _CODE_VALUE, _SCHEME, _LONG_VALUE = 0x0040A043, 0x00080100, 0x00080102, 0x00080119


def key_of(item: Dataset) -> Key:
    """Value and scheme of the concept name; empty where a content item has none."""
    names = item.get(_CONCEPT_NAME)
    if names is None or not names.value:
        return ("", "")
    found = names.value[0]
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
