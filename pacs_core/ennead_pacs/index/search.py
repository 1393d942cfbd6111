"""Searching the index, for QIDO-RS, C-FIND and the worklist alike.

``filters`` maps DICOM keywords to values as C-FIND writes them: ``*`` and ``?`` wild, dates as
``20240101-20240131``, UID lists joined by a backslash. Empty values match everything. Keywords
that :data:`STUDY_KEYS`, :data:`SERIES_KEYS` or :data:`INSTANCE_KEYS` do not hold are not matched
on, as PS3.4 §C.2.2.1.3 wants; callers that must warn compare with those names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, true

from ennead_pacs.index.matching import (
    Condition,
    clean,
    match_integer,
    match_list,
    match_name,
    match_range,
    match_text,
    match_words,
)
from ennead_pacs.index.tables import STORED, instances, series, studies

Matcher = Callable[[str, str], Condition]


def _text(column: Any) -> Matcher:
    return lambda value, dialect: match_text(column, clean(value), dialect)


def _uid(column: Any) -> Matcher:
    return lambda value, dialect: match_list(column, value.split("\\"), dialect)


def _range(column: Any) -> Matcher:
    return lambda value, _dialect: match_range(column, value)


def _integer(column: Any) -> Matcher:
    return lambda value, _dialect: match_integer(column, value)


def _name(folded: Any, other: Any = None) -> Matcher:
    return lambda value, dialect: match_name(folded, other, value, dialect)


def _in_series(column: Any) -> Matcher:
    def match(value: str, dialect: str) -> Condition:
        wanted = [clean(v) for v in value.split("\\")]
        if any(v in ("", "*") for v in wanted):
            return true()
        found = or_(*(match_text(column, v, dialect) for v in wanted))
        return select(series.c.id).where(series.c.study_key == studies.c.id, found).exists()

    return match


def _sop_classes_in_study(value: str, dialect: str) -> Condition:
    wanted = [v for v in value.split("\\") if v.strip()]
    if not wanted:
        return true()
    joined = instances.join(series, instances.c.series_key == series.c.id)
    return (
        select(instances.c.id)
        .select_from(joined)
        .where(
            series.c.study_key == studies.c.id,
            match_list(instances.c.sop_class_uid, wanted, dialect),
        )
        .exists()
    )


STUDY_KEYS: Final[Mapping[str, Matcher]] = {
    "StudyInstanceUID": _uid(studies.c.study_uid),
    "PatientID": _text(studies.c.patient_id),
    "PatientName": _name(studies.c.patient_name_folded, studies.c.patient_name_other),
    "PatientSex": _text(studies.c.patient_sex),
    "PatientBirthDate": _range(studies.c.patient_birth_date),
    "StudyDate": _range(studies.c.study_date),
    "StudyTime": _range(studies.c.study_time),
    "StudyID": _text(studies.c.study_id),
    "AccessionNumber": _text(studies.c.accession_number),
    "StudyDescription": _text(studies.c.description),
    "ReferringPhysicianName": _name(studies.c.referring_physician_folded),
    "ModalitiesInStudy": _in_series(series.c.modality),
    "SOPClassesInStudy": _sop_classes_in_study,
}

SERIES_KEYS: Final[Mapping[str, Matcher]] = {
    "SeriesInstanceUID": _uid(series.c.series_uid),
    "Modality": _text(series.c.modality),
    "SeriesNumber": _integer(series.c.number),
    "SeriesDescription": _text(series.c.description),
    "BodyPartExamined": _text(series.c.body_part),
    "Laterality": _text(series.c.laterality),
    "ProtocolName": _text(series.c.protocol_name),
    "SeriesDate": _range(series.c.series_date),
    "SeriesTime": _range(series.c.series_time),
    "PerformedProcedureStepStartDate": _range(series.c.performed_date),
    "PerformedProcedureStepStartTime": _range(series.c.performed_time),
    "StationName": _text(series.c.station_name),
    "InstitutionName": _text(series.c.institution_name),
}

INSTANCE_KEYS: Final[Mapping[str, Matcher]] = {
    "SOPInstanceUID": _uid(instances.c.instance_uid),
    "SOPClassUID": _uid(instances.c.sop_class_uid),
    "InstanceNumber": _integer(instances.c.number),
    "NumberOfFrames": _integer(instances.c.frames),
    "Rows": _integer(instances.c.rows),
    "Columns": _integer(instances.c.columns),
}


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """Studies wanted.

    Parameters
    ----------
    filters : mapping
        DICOM keyword → value; keys of :data:`STUDY_KEYS` are matched.
    text : str
        Free text of a person at the worklist: every word, without accents or case, must occur in
        the patient's name, patient ID, accession number or study description.
    limit, offset : int
        Page of the stable order; ``limit`` None gives all.
    newest_first : bool
        By study date and time, newest first; otherwise by arrival.
    """

    filters: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    limit: int | None = None
    offset: int = 0
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Series wanted; study-level keys are matched too."""

    filters: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class InstanceQuery:
    """Instances wanted; study- and series-level keys are matched too."""

    filters: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    offset: int = 0


def _conditions(filters: Mapping[str, str], dialect: str, *keys: Mapping[str, Matcher]) -> Any:
    found: list[Condition] = [true()]
    for group in keys:
        found += [group[name](value, dialect) for name, value in filters.items() if name in group]
    return and_(*found)


def _page(query: Select[Any], limit: int | None, offset: int) -> Select[Any]:
    if limit is not None:
        query = query.limit(max(0, limit))
    elif offset:
        query = query.limit(2**31 - 1)
    return query.offset(offset) if offset else query


def study_conditions(query: StudyQuery, dialect: str) -> Any:
    """The condition on ``studies``, for those who join it with tables of their own."""
    words = match_words(
        (
            studies.c.patient_name_folded,
            studies.c.patient_name_other,
            func.lower(studies.c.patient_id),
            func.lower(studies.c.accession_number),
            studies.c.description_folded,
        ),
        query.text,
        dialect,
    )
    return and_(
        studies.c.instance_count > 0, words, _conditions(query.filters, dialect, STUDY_KEYS)
    )


def search_studies(connection: Connection, query: StudyQuery) -> Sequence[Row[Any]]:
    """Rows of ``studies`` that match, with every column of the table."""
    statement = select(studies).where(study_conditions(query, connection.dialect.name))
    if query.newest_first:
        order = [studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc()]
    else:
        order = [studies.c.id.asc()]
    return connection.execute(_page(statement.order_by(*order), query.limit, query.offset)).all()


def count_studies(connection: Connection, query: StudyQuery) -> int:
    """How many studies match, without limit and offset."""
    where = study_conditions(query, connection.dialect.name)
    return connection.execute(select(func.count()).select_from(studies).where(where)).scalar_one()


#: Study columns that come with every series and instance row.
_STUDY_COLUMNS = [studies.c.study_uid, studies.c.patient_id, studies.c.patient_name]


def search_series(connection: Connection, query: SeriesQuery) -> Sequence[Row[Any]]:
    """Rows of ``series`` that match, with ``study_uid``, ``patient_id`` and ``patient_name``.

    By study, then series number, then arrival.
    """
    statement = (
        select(series, *_STUDY_COLUMNS)
        .select_from(series.join(studies, series.c.study_key == studies.c.id))
        .where(
            series.c.instance_count > 0,
            _conditions(query.filters, connection.dialect.name, STUDY_KEYS, SERIES_KEYS),
        )
        .order_by(series.c.study_key, series.c.number, series.c.id)
    )
    return connection.execute(_page(statement, query.limit, query.offset)).all()


def search_instances(connection: Connection, query: InstanceQuery) -> Sequence[Row[Any]]:
    """Rows of ``instances`` that match, with ``study_uid``, ``series_uid``, ``modality`` and more.

    By series, then instance number, then arrival. Lost objects are not shown.
    """
    statement = (
        select(instances, series.c.series_uid, series.c.modality, *_STUDY_COLUMNS)
        .select_from(
            instances.join(series, instances.c.series_key == series.c.id).join(
                studies, series.c.study_key == studies.c.id
            )
        )
        .where(
            instances.c.state == STORED,
            _conditions(
                query.filters, connection.dialect.name, STUDY_KEYS, SERIES_KEYS, INSTANCE_KEYS
            ),
        )
        .order_by(instances.c.series_key, instances.c.number, instances.c.id)
    )
    return connection.execute(_page(statement, query.limit, query.offset)).all()
