"""Searching the index, for QIDO-RS, C-FIND and the worklist alike.

``filters`` maps DICOM keywords to values as C-FIND writes them: ``*`` and ``?`` wild, dates as
``20240101-20240131``, UID lists joined by a backslash. Empty values match everything. Keywords
that :data:`STUDY_KEYS`, :data:`SERIES_KEYS` or :data:`INSTANCE_KEYS` do not hold are not matched
on, as PS3.4 §C.2.2.1.3 wants; callers that must warn compare with those names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select, true

from ennead_pacs.index.keys import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS, Matcher
from ennead_pacs.index.matching import Condition, match_words
from ennead_pacs.index.tables import STORED, instances, series, studies

__all__ = [
    "INSTANCE_KEYS",
    "SERIES_KEYS",
    "STUDY_KEYS",
    "InstanceQuery",
    "SeriesQuery",
    "StudyQuery",
    "count_studies",
    "instance_statement",
    "patient_statement",
    "search_instances",
    "search_series",
    "search_studies",
    "series_statement",
    "study_conditions",
    "study_statement",
]


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


def study_statement(query: StudyQuery, dialect: str) -> Select[Any]:
    """The statement behind :func:`search_studies`, for callers that stream its rows."""
    statement = select(studies).where(study_conditions(query, dialect))
    if query.newest_first:
        order = [studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.id.desc()]
    else:
        order = [studies.c.id.asc()]
    return _page(statement.order_by(*order), query.limit, query.offset)


def search_studies(connection: Connection, query: StudyQuery) -> Sequence[Row[Any]]:
    """Rows of ``studies`` that match, with every column of the table."""
    return connection.execute(study_statement(query, connection.dialect.name)).all()


def count_studies(connection: Connection, query: StudyQuery) -> int:
    """How many studies match, without limit and offset."""
    where = study_conditions(query, connection.dialect.name)
    return connection.execute(select(func.count()).select_from(studies).where(where)).scalar_one()


def patient_statement(query: StudyQuery, dialect: str) -> Select[Any]:
    """Distinct patients of the studies that match, by patient ID (Patient Root, PS3.4 §C.6.1)."""
    return (
        select(
            studies.c.patient_id,
            func.min(studies.c.patient_name).label("patient_name"),
            func.min(studies.c.patient_sex).label("patient_sex"),
            func.min(studies.c.patient_birth_date).label("patient_birth_date"),
            func.count().label("study_count"),
        )
        .where(study_conditions(query, dialect))
        .group_by(studies.c.patient_id)
        .order_by(studies.c.patient_id)
    )


#: Study columns that come with every series and instance row.
_STUDY_COLUMNS = [studies.c.study_uid, studies.c.patient_id, studies.c.patient_name]


def series_statement(query: SeriesQuery, dialect: str) -> Select[Any]:
    """The statement behind :func:`search_series`."""
    statement = (
        select(series, *_STUDY_COLUMNS)
        .select_from(series.join(studies, series.c.study_key == studies.c.id))
        .where(
            series.c.instance_count > 0,
            _conditions(query.filters, dialect, STUDY_KEYS, SERIES_KEYS),
        )
        .order_by(series.c.study_key, series.c.number, series.c.id)
    )
    return _page(statement, query.limit, query.offset)


def search_series(connection: Connection, query: SeriesQuery) -> Sequence[Row[Any]]:
    """Rows of ``series`` that match, with ``study_uid``, ``patient_id`` and ``patient_name``.

    By study, then series number, then arrival.
    """
    return connection.execute(series_statement(query, connection.dialect.name)).all()


def instance_statement(query: InstanceQuery, dialect: str) -> Select[Any]:
    """The statement behind :func:`search_instances`."""
    statement = (
        select(instances, series.c.series_uid, series.c.modality, *_STUDY_COLUMNS)
        .select_from(
            instances.join(series, instances.c.series_key == series.c.id).join(
                studies, series.c.study_key == studies.c.id
            )
        )
        .where(
            instances.c.state == STORED,
            _conditions(query.filters, dialect, STUDY_KEYS, SERIES_KEYS, INSTANCE_KEYS),
        )
        .order_by(instances.c.series_key, instances.c.number, instances.c.id)
    )
    return _page(statement, query.limit, query.offset)


def search_instances(connection: Connection, query: InstanceQuery) -> Sequence[Row[Any]]:
    """Rows of ``instances`` that match, with ``study_uid``, ``series_uid``, ``modality`` and more.

    By series, then instance number, then arrival. Lost objects are not shown.
    """
    return connection.execute(instance_statement(query, connection.dialect.name)).all()
