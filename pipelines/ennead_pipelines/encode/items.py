"""Items of sequences as bytes, Explicit VR Little Endian (PS3.5 §7.1.2, §7.5).

A report of a hundred groups is thousands of small items that repeat a few dozen codes. Written
as bytes at once, each code only once, they cost a tenth of the same tree of pydicom datasets. What
is written here is read back by pydicom before it is stored (:mod:`ennead_pipelines.encode.check`).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NewType

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from ennead.codes import Code

#: One item of a sequence: its tag, length and elements.
Item = NewType("Item", bytes)
#: One data element: tag, VR, length and value.
Element = NewType("Element", bytes)

CHARACTER_SET: Final = "ISO_IR 192"
_LONG_LENGTH: Final = frozenset({"SQ", "UT", "UC", "UN", "UR", "OB", "OW"})
_ITEM_TAG: Final = b"\xfe\xff\x00\xe0"
_SHORT_CODE_LIMIT: Final = 16
_CODE_VALUE, _LONG_CODE_VALUE = 0x00080100, 0x00080119
_SCHEME, _MEANING = 0x00080102, 0x00080104
_SOP_CLASS, _SOP_INSTANCE = 0x00081150, 0x00081155


def element(tag: int, vr: str, value: bytes) -> Element:
    """A data element; an odd value is padded as its VR asks (PS3.5 §6.2)."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in _LONG_LENGTH:
        return Element(head + struct.pack("<HL", 0, len(value)) + value)
    return Element(head + struct.pack("<H", len(value)) + value)


def string(tag: int, vr: str, value: str) -> Element:
    """A data element of text, in Unicode (:data:`CHARACTER_SET`)."""
    return element(tag, vr, value.encode())


def sequence(tag: int, items: Iterable[Item]) -> Element:
    """A sequence element."""
    return element(tag, "SQ", b"".join(items))


def item(*elements: Element) -> Item:
    """An item; its elements come in the order of their tags."""
    value = b"".join(elements)
    return Item(_ITEM_TAG + struct.pack("<L", len(value)) + value)


@lru_cache(maxsize=4096)
def code_item(code: Code) -> Item:
    """``code`` as an item of a code sequence (PS3.3 §8.8).

    A value longer than 16 characters goes to Long Code Value, as the Standard asks.
    """
    scheme = string(_SCHEME, "SH", code.scheme)
    meaning = string(_MEANING, "LO", code.meaning[:64])
    if len(code.value) > _SHORT_CODE_LIMIT:
        return item(scheme, meaning, string(_LONG_CODE_VALUE, "UC", code.value))
    return item(string(_CODE_VALUE, "SH", code.value), scheme, meaning)


@lru_cache(maxsize=4096)
def code_sequence(tag: int, code: Code) -> Element:
    """A code sequence of one code."""
    return sequence(tag, [code_item(code)])


def reference_elements(sop_class_uid: str, sop_instance_uid: str) -> tuple[Element, Element]:
    """Referenced SOP Class and Instance UID (PS3.3 §10.8)."""
    return (
        string(_SOP_CLASS, "UI", sop_class_uid),
        string(_SOP_INSTANCE, "UI", sop_instance_uid),
    )


def reference(sop_class_uid: str, sop_instance_uid: str) -> Item:
    """An item of a Referenced SOP Sequence."""
    return item(*reference_elements(sop_class_uid, sop_instance_uid))


def as_dataset(written: Item) -> Dataset:
    """``written`` as pydicom reads it; nested sequences stay bytes until they are looked at."""
    body = io.BytesIO(written[8:])
    dataset = read_dataset(
        body, is_implicit_VR=False, is_little_endian=True, parent_encoding="utf8"
    )
    return dataset


def as_item(dataset: Dataset) -> Item:
    """A dataset of ours as an item."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset, "utf8")
    value = buffer.getvalue()
    return Item(_ITEM_TAG + struct.pack("<L", len(value)) + value)


def add(dataset: Dataset, elements: Element) -> None:
    """Put written elements into a dataset that will be written in the same encoding."""
    value = elements
    dataset.update(as_dataset(Item(_ITEM_TAG + struct.pack("<L", len(value)) + value)))
