"""Content items of structured reports (PS3.3 §C.17.3), one function per value type."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from pydicom.valuerep import DSfloat

from ennead.codes import Code
from ennead_pipelines.encode.items import (
    Element,
    Item,
    code_sequence,
    element,
    item,
    reference_elements,
    sequence,
    string,
)

CONTAINS: Final = "CONTAINS"
HAS_CONCEPT_MOD: Final = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT: Final = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT: Final = "HAS ACQ CONTEXT"
HAS_PROPERTIES: Final = "HAS PROPERTIES"

_REFERENCED_SOP, _UNITS = 0x00081199, 0x004008EA
_RELATIONSHIP, _VALUE_TYPE, _CONCEPT_NAME = 0x0040A010, 0x0040A040, 0x0040A043
_CONTINUITY, _PERSON_NAME, _UID = 0x0040A050, 0x0040A123, 0x0040A124
_TEXT, _DOUBLE, _CONCEPT = 0x0040A160, 0x0040A161, 0x0040A168
_MEASURED, _NUMERIC, _TEMPLATE = 0x0040A300, 0x0040A30A, 0x0040A504
_CONTENT, _SEGMENT = 0x0040A730, 0x0062000B


def _item(
    value_type: str,
    name: Code,
    relationship: str,
    *value: Element,
    children: Iterable[Item] = (),
    reference: Element | None = None,
) -> Item:
    nested = list(children)
    return item(
        *((reference,) if reference else ()),
        *((string(_RELATIONSHIP, "CS", relationship),) if relationship else ()),
        string(_VALUE_TYPE, "CS", value_type),
        code_sequence(_CONCEPT_NAME, name),
        *value,
        *((sequence(_CONTENT, nested),) if nested else ()),
    )


def container(
    name: Code, children: Iterable[Item], *, relationship: str = CONTAINS, template: str = ""
) -> Item:
    """CONTAINER; ``template`` is the TID it follows, ``relationship`` empty for the root."""
    value = [string(_CONTINUITY, "CS", "SEPARATE")]
    if template:
        made_with = item(string(0x00080105, "CS", "DCMR"), string(0x0040DB00, "CS", template))
        value.append(sequence(_TEMPLATE, [made_with]))
    return _item("CONTAINER", name, relationship, *value, children=children)


def code(
    name: Code, value: Code, relationship: str = CONTAINS, children: Iterable[Item] = ()
) -> Item:
    """CODE."""
    return _item("CODE", name, relationship, code_sequence(_CONCEPT, value), children=children)


def text(name: Code, value: str, relationship: str = CONTAINS) -> Item:
    """TEXT."""
    return _item("TEXT", name, relationship, string(_TEXT, "UT", value))


def uidref(name: Code, value: str, relationship: str = CONTAINS) -> Item:
    """UIDREF."""
    return _item("UIDREF", name, relationship, string(_UID, "UI", value))


def person(name: Code, value: str, relationship: str = HAS_OBS_CONTEXT) -> Item:
    """PNAME."""
    return _item("PNAME", name, relationship, string(_PERSON_NAME, "PN", value))


def number(
    name: Code,
    value: float,
    unit: Code,
    relationship: str = CONTAINS,
    children: Iterable[Item] = (),
) -> Item:
    """NUM; a value that sixteen characters round keeps its double beside it (PS3.3 §C.18.1)."""
    shown = str(DSfloat(float(value), auto_format=True))
    exact = () if float(shown) == float(value) else (_double(value),)
    measured = item(code_sequence(_UNITS, unit), *exact, string(_NUMERIC, "DS", shown))
    return _item("NUM", name, relationship, sequence(_MEASURED, [measured]), children=children)


def _double(value: float) -> Element:
    return element(_DOUBLE, "FD", struct.pack("<d", value))


def image(
    name: Code,
    sop_class_uid: str,
    sop_instance_uid: str,
    relationship: str = CONTAINS,
    segments: Sequence[int] = (),
) -> Item:
    """IMAGE; ``segments`` are the segment numbers it is about."""
    parts = reference_elements(sop_class_uid, sop_instance_uid)
    numbers = struct.pack(f"<{len(segments)}H", *segments)
    named = (element(_SEGMENT, "US", numbers),) if segments else ()
    referenced = sequence(_REFERENCED_SOP, [item(*parts, *named)])
    return _item("IMAGE", name, relationship, reference=referenced)
