"""Rows of the index as DICOM JSON for QIDO-RS (PS3.18 §10.6.3.3).

Written as text, not through dictionaries: a list of 200 instances is asked for by every viewer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Row

_quote = json.encoder.encode_basestring

Fragment = Callable[[Row[Any]], str]
"""The value array of one attribute, or an empty string for none."""


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute that the index can return."""

    tag: str
    vr: str
    keyword: str
    fragment: Fragment


def _text(name: str) -> Fragment:
    def fragment(row: Row[Any]) -> str:
        value = getattr(row, name)
        return f"[{_quote(value)}]" if value else ""

    return fragment


def _integer(name: str) -> Fragment:
    def fragment(row: Row[Any]) -> str:
        value = getattr(row, name)
        return "" if value is None else f"[{value}]"

    return fragment


def _person(name: str) -> Fragment:
    def fragment(row: Row[Any]) -> str:
        value: str = getattr(row, name)
        if not value:
            return ""
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
        return "[{" + ",".join(f'"{k}":{_quote(v)}' for k, v in groups if v) + "}]"

    return fragment


def _modalities(row: Row[Any]) -> str:
    found = [m for m in row.modalities.split("\\") if m]
    return "[" + ",".join(map(_quote, found)) + "]" if found else ""


def _constant(value: str) -> Fragment:
    return lambda _row: f'["{value}"]'


def _table(rows: Iterable[tuple[str, str, str, Fragment]]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


_CHARSET: Final = ("00080005", "CS", "SpecificCharacterSet", _constant("ISO_IR 192"))
_ONLINE: Final = ("00080056", "CS", "InstanceAvailability", _constant("ONLINE"))

STUDY: Final = _table(
    (
        _CHARSET,
        ("00080020", "DA", "StudyDate", _text("study_date")),
        ("00080030", "TM", "StudyTime", _text("study_time")),
        ("00080050", "SH", "AccessionNumber", _text("accession_number")),
        _ONLINE,
        ("00080061", "CS", "ModalitiesInStudy", _modalities),
        ("00080090", "PN", "ReferringPhysicianName", _person("referring_physician")),
        ("00081030", "LO", "StudyDescription", _text("description")),
        ("00100010", "PN", "PatientName", _person("patient_name")),
        ("00100020", "LO", "PatientID", _text("patient_id")),
        ("00100030", "DA", "PatientBirthDate", _text("patient_birth_date")),
        ("00100040", "CS", "PatientSex", _text("patient_sex")),
        ("0020000D", "UI", "StudyInstanceUID", _text("study_uid")),
        ("00200010", "SH", "StudyID", _text("study_id")),
        ("00201206", "IS", "NumberOfStudyRelatedSeries", _integer("series_count")),
        ("00201208", "IS", "NumberOfStudyRelatedInstances", _integer("instance_count")),
    )
)
SERIES: Final = _table(
    (
        _CHARSET,
        ("00080021", "DA", "SeriesDate", _text("series_date")),
        ("00080031", "TM", "SeriesTime", _text("series_time")),
        _ONLINE,
        ("00080060", "CS", "Modality", _text("modality")),
        ("0008103E", "LO", "SeriesDescription", _text("description")),
        ("00180015", "CS", "BodyPartExamined", _text("body_part")),
        ("0020000D", "UI", "StudyInstanceUID", _text("study_uid")),
        ("0020000E", "UI", "SeriesInstanceUID", _text("series_uid")),
        ("00200011", "IS", "SeriesNumber", _integer("number")),
        ("00200060", "CS", "Laterality", _text("laterality")),
        ("00201209", "IS", "NumberOfSeriesRelatedInstances", _integer("instance_count")),
        ("00400244", "DA", "PerformedProcedureStepStartDate", _text("performed_date")),
        ("00400245", "TM", "PerformedProcedureStepStartTime", _text("performed_time")),
    )
)
INSTANCE: Final = _table(
    (
        _CHARSET,
        ("00080016", "UI", "SOPClassUID", _text("sop_class_uid")),
        ("00080018", "UI", "SOPInstanceUID", _text("instance_uid")),
        _ONLINE,
        ("00080060", "CS", "Modality", _text("modality")),
        ("00083002", "UI", "AvailableTransferSyntaxUID", _text("transfer_syntax_uid")),
        ("0020000D", "UI", "StudyInstanceUID", _text("study_uid")),
        ("0020000E", "UI", "SeriesInstanceUID", _text("series_uid")),
        ("00200013", "IS", "InstanceNumber", _integer("number")),
        ("00280008", "IS", "NumberOfFrames", _integer("frames")),
        ("00280010", "US", "Rows", _integer("rows")),
        ("00280011", "US", "Columns", _integer("columns")),
        ("00280100", "US", "BitsAllocated", _integer("bits_allocated")),
    )
)
#: Returned when ``includefield`` names them, or says ``all``.
SERIES_MORE: Final = _table(
    (
        ("00080080", "LO", "InstitutionName", _text("institution_name")),
        ("00081010", "SH", "StationName", _text("station_name")),
        ("00181030", "LO", "ProtocolName", _text("protocol_name")),
    )
)
#: Study attributes that come with series and instances when the search is not within one study.
OF_PATIENT: Final = _table(
    (
        ("00100010", "PN", "PatientName", _person("patient_name")),
        ("00100020", "LO", "PatientID", _text("patient_id")),
    )
)


_RETRIEVE_URL: Final = "00081190"


@lru_cache(maxsize=64)
def _ordered(columns: tuple[Column, ...]) -> tuple[tuple[tuple[str, Fragment], ...], int]:
    """Columns by tag, and the place of Retrieve URL among them."""
    by_tag = sorted(columns, key=lambda c: c.tag)
    heads = tuple((f'"{c.tag}":{{"vr":"{c.vr}"', c.fragment) for c in by_tag)
    return heads, sum(c.tag < _RETRIEVE_URL for c in by_tag)


def rows_json(
    rows: Sequence[Row[Any]],
    columns: tuple[Column, ...],
    retrieve_url: Callable[[Row[Any]], str],
    extra: Callable[[Row[Any]], Mapping[str, Any]] | None = None,
) -> bytes:
    """A JSON array with one object per row; attributes without a value have none."""
    prepared, place = _ordered(columns)
    objects = []
    for row in rows:
        parts = []
        for head, fragment in prepared:
            value = fragment(row)
            parts.append(f'{head},"Value":{value}}}' if value else f"{head}}}")
        parts.insert(place, f'"{_RETRIEVE_URL}":{{"vr":"UR","Value":["{retrieve_url(row)}"]}}')
        if extra is not None:
            parts += [
                f'"{tag}":{json.dumps(value, ensure_ascii=False, separators=(",", ":"))}'
                for tag, value in extra(row).items()
            ]
            parts.sort()  # each begins with its tag
        objects.append("{" + ",".join(parts) + "}")
    return ("[" + ",".join(objects) + "]").encode("utf-8", errors="replace")
