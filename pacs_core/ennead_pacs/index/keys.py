"""Which attributes each level is matched on, and how (PS3.4 §C.6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import or_, select, true

from ennead_pacs.index.matching import (
    Condition,
    clean,
    match_integer,
    match_list,
    match_name,
    match_range,
    match_text,
)
from ennead_pacs.index.tables import instances, series, studies

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
