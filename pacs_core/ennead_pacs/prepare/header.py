"""One instance's header in the DICOM JSON Model, without pydicom objects (PS3.18 §F.2)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final

from ennead.errors import LimitExceeded, MalformedObject
from ennead_pacs.prepare.part10 import (
    DEPTH_LIMIT,
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Buffer,
    Element,
    Encoding,
    Part10,
    read_element,
    skip_fragments,
)
from ennead_pacs.prepare.values import (
    BINARY,
    DEFAULT_CHARSET,
    Charset,
    charset_of,
    json_values,
)

#: Binary values up to this long are inline; longer ones are a BulkDataURI.
INLINE_LIMIT: Final = 1024
#: Any other value longer than this is a BulkDataURI too (PS3.18 §F.2.6).
TEXT_LIMIT: Final = 65_536
#: Always by reference: pixel data in its three forms, waveform and document.
_ALWAYS_BULK: Final = frozenset((PIXEL_DATA, 0x7FE00008, 0x7FE00009, 0x54001010, 0x00420011))
#: Group lengths, item ends, padding and offset tables say nothing about the patient.
_LEFT_OUT: Final = frozenset((0xFFFCFFFC, 0x7FE00001, 0x7FE00002))
_SAME_AS_PIXELS: Final = ("US or SS", "US or SS or OW")


@dataclass(slots=True)
class Header:
    """A header and where its bulk values lie.

    ``bulk`` maps a path (``7FE00010``, ``54000100/0/54001010``: tags and item numbers from 0) to
    the element; ``encoding`` is that of the dataset.
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    bulk: dict[str, Element] = field(default_factory=dict)


@dataclass(slots=True)
class _Context:
    data: Buffer
    uri: str
    bulk: dict[str, Element]
    signed: bool = False


def read_header(file: Part10, bulk_uri: str = "") -> Header:
    """The whole header of ``file``; bulk values become ``bulk_uri`` + ``/`` + path.

    Raises
    ------
    MalformedObject, LimitExceeded
        The dataset is truncated, or nests deeper than 32 levels.
    """
    header = Header()
    context = _Context(file.data, bulk_uri, header.bulk)
    header.attributes, _ = _dataset(
        context, file.start, file.size, file.encoding, DEFAULT_CHARSET, "", 0
    )
    return header


def _dataset(
    context: _Context,
    position: int,
    stop: int,
    encoding: Encoding,
    charset: Charset,
    path: str,
    depth: int,
) -> tuple[dict[str, Any], int]:
    """Elements up to ``stop`` or an item delimiter; gives the position after it."""
    if depth > DEPTH_LIMIT:
        raise LimitExceeded(
            f"Sequences may nest {DEPTH_LIMIT} deep; this object is deeper.", limit=DEPTH_LIMIT
        )
    found: dict[str, Any] = {}
    data = context.data
    while position + 8 <= stop:
        element = read_element(data, position, stop, encoding)
        tag, vr, offset, length = element
        if tag == ITEM_END:
            return found, offset
        position = offset + length
        name = f"{tag:08X}"
        if vr == "SQ" or (length == UNDEFINED and vr == "UN"):
            inner = Encoding(False, True) if vr == "UN" and encoding.explicit else encoding
            items, position = _sequence(
                context, element, stop, inner, charset, f"{path}{name}/", depth
            )
            found[name] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        elif length == UNDEFINED:
            position = skip_fragments(data, offset, stop, encoding)
            found[name] = _bulk(context, "OB", path + name, element)
        elif tag & 0xFFFF == 0 or tag in _LEFT_OUT:
            continue
        else:
            if " " in vr:
                element = Element(tag, _resolve(context, tag, vr), offset, length)
            elif tag == 0x00080005:
                charset = charset_of(data[offset:position])
            elif tag == 0x00280103 and length == 2:
                context.signed = data[offset:position].strip(b"\0") != b""
            found[name] = _element(context, element, encoding, charset, path + name)
    return found, position


def _sequence(
    context: _Context,
    sequence: Element,
    stop: int,
    encoding: Encoding,
    charset: Charset,
    path: str,
    depth: int,
) -> tuple[list[dict[str, Any]], int]:
    items: list[dict[str, Any]] = []
    position = sequence.offset
    delimited = sequence.length == UNDEFINED
    end = stop if delimited else sequence.offset + sequence.length
    while position + 8 <= end:
        item = read_element(context.data, position, end, encoding)
        position = item.offset
        if item.tag == SEQUENCE_END:
            return items, position
        if item.tag != ITEM:
            raise MalformedObject(
                f"A sequence holds items only (PS3.5 §7.5); got tag {item.tag:08X} at byte "
                f"{position}. Ask the sender to correct the object."
            )
        inside = end if item.length == UNDEFINED else position + item.length
        attributes, position = _dataset(
            context, position, inside, encoding, charset, f"{path}{len(items)}/", depth + 1
        )
        items.append(attributes)
    return items, (position if delimited else end)


def _element(
    context: _Context, element: Element, encoding: Encoding, charset: Charset, path: str
) -> dict[str, Any]:
    tag, vr, offset, length = element
    if length == 0:
        return {"vr": vr}
    if vr in BINARY:
        if length > INLINE_LIMIT or tag in _ALWAYS_BULK:
            return _bulk(context, vr, path, element)
        raw = context.data[offset : offset + length]
        if not encoding.little:
            raw = swapped(raw, vr)
        return {"vr": vr, "InlineBinary": base64.b64encode(raw).decode("ascii")}
    if length > TEXT_LIMIT:
        return _bulk(context, vr, path, element)
    raw = context.data[offset : offset + length]
    found = json_values(vr, raw, encoding.order, charset)
    return {"vr": vr, "Value": found} if found else {"vr": vr}


def _bulk(context: _Context, vr: str, path: str, element: Element) -> dict[str, Any]:
    context.bulk[path] = element._replace(vr=vr)
    return {"vr": vr, "BulkDataURI": f"{context.uri}/{path}"}


def _resolve(context: _Context, tag: int, vr: str) -> str:
    """The VR of an implicit element whose dictionary entry leaves a choice (PS3.5 §A.1)."""
    if tag >> 16 == 0x5400:
        return "OW"
    if vr in _SAME_AS_PIXELS and tag & 0xFFFF not in (0x1101, 0x1102, 0x1103, 0x3002):
        return "SS" if context.signed else "US"
    return "US" if vr.startswith("US or SS") else "OW"


def swapped(raw: bytes, vr: str) -> bytes:
    """Big-endian words as the little-endian ones that JSON and bulk data hold."""
    size = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}.get(vr, 1)
    if size == 1 or len(raw) % size:
        return raw
    import numpy as np

    return np.frombuffer(raw, dtype=f">u{size}").astype(f"<u{size}").tobytes()
