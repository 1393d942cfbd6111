"""Values of elements in the DICOM JSON Model (PS3.18 §F.2.3)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from pydicom.charset import convert_encodings, decode_bytes

#: VRs whose bytes are read by SpecificCharacterSet (PS3.5 §6.1.2.2).
_LOCALISED: Final = frozenset(("LO", "SH", "PN", "LT", "ST", "UC", "UT"))
#: VRs with one value, in which a backslash is text.
_SINGLE: Final = frozenset(("LT", "ST", "UT", "UR"))
_NUMBERS: Final[dict[str, str]] = {
    "US": "H",
    "SS": "h",
    "UL": "L",
    "SL": "l",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
}
BINARY: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))

Charset = Sequence[str]
DEFAULT_CHARSET: Final[Charset] = ("iso8859",)


def charset_of(raw: bytes) -> Charset:
    """Python codecs of a SpecificCharacterSet value; unknown terms give the default."""
    terms = [t.strip() for t in raw.decode("latin-1").strip("\0 ").split("\\")]
    try:
        return tuple(convert_encodings(terms if len(terms) > 1 else terms[0])) or DEFAULT_CHARSET
    except (LookupError, UserWarning):
        return DEFAULT_CHARSET


def decode_text(raw: bytes, charset: Charset) -> str:
    """Text of ``raw``; bytes that do not fit become U+FFFD (the index flags the study)."""
    if b"\x1b" in raw:
        try:
            return str(decode_bytes(raw, list(charset), {ord("\\"), ord("^"), ord("=")}))
        except (UnicodeError, LookupError, UserWarning):
            return raw.decode(charset[0], errors="replace")
    try:
        return raw.decode(charset[0])
    except UnicodeDecodeError:
        return raw.decode(charset[0], errors="replace")


def json_values(vr: str, raw: bytes, order: str, charset: Charset) -> list[Any]:
    """The ``Value`` array of an element that is neither binary nor a sequence.

    Numbers that cannot be numbers in JSON (NaN, infinities) are null; decimal and integer strings
    that do not parse stay text, as PS3.18 §F.2.3 allows.
    """
    code = _NUMBERS.get(vr)
    if code is not None:
        count = len(raw) // struct.calcsize("<" + code)
        found: Sequence[Any] = struct.unpack_from(f"{order}{count}{code}", raw)
        if code in "fd":
            found = [v if math.isfinite(v) else None for v in found]
        return list(found)
    if vr == "AT":
        pairs = struct.unpack_from(f"{order}{len(raw) // 4 * 2}H", raw)
        return [f"{g:04X}{e:04X}" for g, e in zip(pairs[::2], pairs[1::2], strict=True)]
    if vr in _LOCALISED:
        text = decode_text(raw, charset)
    else:
        text = raw.decode("latin-1")
    if vr in _SINGLE:
        text = text.rstrip("\0 ")
        return [text] if text else []
    text = text.rstrip("\0 ")
    if not text:
        return []
    parts = text.split("\\")
    convert = _CONVERTERS.get(vr)
    if convert is not None:
        return [convert(part.strip(" \0")) for part in parts]
    return [part.strip(" \0") or None for part in parts]


def _decimal(text: str) -> float | str | None:
    try:
        value = float(text)
    except ValueError:
        return text or None
    return value if math.isfinite(value) else text


def _integer(text: str) -> int | float | str | None:
    try:
        return int(text)
    except ValueError:
        return _decimal(text)


def _person_name(text: str) -> dict[str, str] | None:
    groups = text.split("=")
    names = ("Alphabetic", "Ideographic", "Phonetic")
    return {n: g.rstrip() for n, g in zip(names, groups, strict=False) if g} or None


_CONVERTERS: Final[dict[str, Callable[[str], Any]]] = {
    "DS": _decimal,
    "IS": _integer,
    "PN": _person_name,
}
