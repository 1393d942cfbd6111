"""What the index takes from a scanned dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from ennead.errors import InvalidUID, UnusableObject
from ennead.folding import fold
from ennead_pacs.storage.scan import DatasetScanner
from ennead_pacs.storage.text import Decoder

_UID = re.compile(rb"[0-9.]{1,64}")

_CHARACTER_SET: Final = 0x00080005
_SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
_STUDY: Final = 0x0020000D
_SERIES: Final = 0x0020000E
_INSTANCE_NUMBER: Final = 0x00200013
_SAMPLES: Final = 0x00280002
_FRAMES: Final = 0x00280008
_ROWS: Final = 0x00280010
_COLUMNS: Final = 0x00280011
_BITS: Final = 0x00280100
_PHOTOMETRIC: Final = 0x00280004

#: Column of ``studies`` → tag.
_STUDY_TEXT: Final = {
    "patient_id": 0x00100020,
    "patient_name": 0x00100010,
    "patient_sex": 0x00100040,
    "patient_birth_date": 0x00100030,
    "study_date": 0x00080020,
    "study_time": 0x00080030,
    "study_id": 0x00200010,
    "accession_number": 0x00080050,
    "description": 0x00081030,
    "referring_physician": 0x00080090,
}
#: Column of ``series`` → tag.
_SERIES_TEXT: Final = {
    "modality": 0x00080060,
    "description": 0x0008103E,
    "body_part": 0x00180015,
    "laterality": 0x00200060,
    "protocol_name": 0x00181030,
    "series_date": 0x00080021,
    "series_time": 0x00080031,
    "performed_date": 0x00400244,
    "performed_time": 0x00400245,
    "station_name": 0x00081010,
    "institution_name": 0x00080080,
}
_SERIES_NUMBER: Final = 0x00200011
_LIMITS: Final = {"patient_sex": 16, "patient_birth_date": 18, "laterality": 16} | dict.fromkeys(
    ("study_date", "study_time", "series_date", "series_time", "modality"), 64
)

#: Every top-level tag the scanner keeps.
WANTED: Final = frozenset(
    {
        _CHARACTER_SET,
        _SOP_CLASS,
        SOP_INSTANCE,
        _STUDY,
        _SERIES,
        _SERIES_NUMBER,
        _INSTANCE_NUMBER,
        _SAMPLES,
        _FRAMES,
        _ROWS,
        _COLUMNS,
        _BITS,
        _PHOTOMETRIC,
        *_STUDY_TEXT.values(),
        *_SERIES_TEXT.values(),
    }
)


@dataclass(slots=True)
class Header:
    """Identity and index attributes of one object; names are decoded only when asked for."""

    sop_class_uid: str
    instance_uid: str
    study_uid: str
    series_uid: str
    number: int | None
    frames: int
    rows: int | None
    columns: int | None
    bits_allocated: int | None
    samples: int
    photometric: bytes
    values: dict[int, bytes] = field(repr=False)

    def study_row(self) -> dict[str, Any]:
        """Columns of ``studies`` that come from the object."""
        decoder = Decoder(self.values.get(_CHARACTER_SET, b""))
        row: dict[str, Any] = _texts(self.values, _STUDY_TEXT, decoder)
        alphabetic, *others = row["patient_name"].split("=")
        row["patient_name_folded"] = fold(alphabetic)
        kept = [g for g in (fold(group) for group in others) if g]
        row["patient_name_other"] = f"|{'|'.join(kept)}|" if kept else ""
        row["description_folded"] = fold(row["description"])
        row["referring_physician_folded"] = fold(row["referring_physician"].split("=")[0])
        row["charset_suspect"] = decoder.suspect
        return row

    def series_row(self) -> dict[str, Any]:
        """Columns of ``series`` that come from the object."""
        decoder = Decoder(self.values.get(_CHARACTER_SET, b""))
        row: dict[str, Any] = _texts(self.values, _SERIES_TEXT, decoder)
        row["number"] = _integer(self.values.get(_SERIES_NUMBER, b""))
        return row


def _texts(values: dict[int, bytes], columns: dict[str, int], decoder: Decoder) -> dict[str, Any]:
    row = {name: decoder.text(values.get(tag, b"")) for name, tag in columns.items()}
    for name in row:
        if name.endswith("_date") and len(row[name]) == 10:
            row[name] = row[name].replace(".", "")  # ACR-NEMA wrote 1995.12.24
        if name.endswith("_time"):
            row[name] = row[name].replace(":", "")
        if name in _LIMITS or name.startswith("performed_"):
            row[name] = row[name][: _LIMITS.get(name, 64)]
    return row


def read_header(scanner: DatasetScanner, *, big_endian: bool = False) -> Header:
    """The header of a finished scan.

    Raises
    ------
    UnusableObject
        An identifying attribute is missing, or a value is longer than its VR could ever be.
    InvalidUID
        A UID is not 1–64 digits and dots.
    """
    if scanner.overlong:
        tag = min(scanner.overlong)
        raise UnusableObject(
            f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is longer than 1024 bytes, more than its VR "
            "allows (PS3.5 §6.2). Correct the sender."
        )
    values, vrs = scanner.values, scanner.vrs
    short = ("big" if big_endian else "little", vrs, values)
    return Header(
        sop_class_uid=_uid(values, _SOP_CLASS, "SOPClassUID"),
        instance_uid=_uid(values, SOP_INSTANCE, "SOPInstanceUID"),
        study_uid=_uid(values, _STUDY, "StudyInstanceUID"),
        series_uid=_uid(values, _SERIES, "SeriesInstanceUID"),
        number=_integer(values.get(_INSTANCE_NUMBER, b"")),
        frames=_frames(values.get(_FRAMES, b"")),
        rows=_short(_ROWS, "Rows", *short),
        columns=_short(_COLUMNS, "Columns", *short),
        bits_allocated=_short(_BITS, "BitsAllocated", *short),
        samples=_short(_SAMPLES, "SamplesPerPixel", *short) or 1,
        photometric=values.get(_PHOTOMETRIC, b"").strip(b" \0"),
        values=values,
    )


def _uid(values: dict[int, bytes], tag: int, name: str) -> str:
    value = values.get(tag, b"").strip(b" \0")
    if not value:
        raise UnusableObject(f"{name} is missing or empty; an object cannot be kept without it.")
    if not _UID.fullmatch(value):
        raise InvalidUID(
            f"{name} must be 1 to 64 characters of digits and dots (PS3.5 §9.1); got "
            f"{value[:80]!r}. Correct the sender."
        )
    return value.decode("ascii")


def _integer(value: bytes) -> int | None:
    try:
        number = int(value.strip(b" \0"))
    except ValueError:
        return None
    return number if -(2**31) <= number < 2**31 else None


def _frames(value: bytes) -> int:
    text = value.strip(b" \0")
    if not text:
        return 1
    number = _integer(text)
    if number is None or number < 1:
        raise UnusableObject(
            f"NumberOfFrames must be a whole number of 1 to {2**31 - 1}; got {text[:20]!r}."
        )
    return number


def _short(
    tag: int, name: str, order: Any, vrs: dict[int, bytes], values: dict[int, bytes]
) -> int | None:
    value = values.get(tag)
    if not value:
        return None
    if vrs[tag] not in (b"", b"US") or len(value) != 2:
        raise UnusableObject(
            f"{name} must be one US value of 2 bytes; got VR {vrs[tag]!r} of {len(value)} bytes."
        )
    return int.from_bytes(value, order)
