"""Single look-ups, and rows as the records of :mod:`ennead.contracts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from ennead.contracts import InstanceRecord, SeriesRecord, StudyRecord
from ennead.identifiers import (
    InstanceUID,
    PatientID,
    SeriesUID,
    SOPClassUID,
    StudyUID,
    TransferSyntaxUID,
)
from ennead_pacs.index.search import InstanceQuery, SeriesQuery, search_instances, search_series
from ennead_pacs.index.tables import studies


def study_record(row: Row[Any]) -> StudyRecord:
    """A row of ``search_studies``."""
    return StudyRecord(
        study_uid=StudyUID(row.study_uid),
        patient_id=PatientID(row.patient_id),
        patient_name=row.patient_name,
        modalities=tuple(m for m in row.modalities.split("\\") if m),
        description=row.description,
        study_date=row.study_date,
        study_time=row.study_time,
        accession_number=row.accession_number,
        series_count=row.series_count,
        instance_count=row.instance_count,
        received_at=row.received_at,
        updated_at=row.updated_at,
    )


def series_record(row: Row[Any]) -> SeriesRecord:
    """A row of ``search_series``."""
    return SeriesRecord(
        study_uid=StudyUID(row.study_uid),
        series_uid=SeriesUID(row.series_uid),
        modality=row.modality,
        number=row.number,
        description=row.description,
        body_part=row.body_part,
        instance_count=row.instance_count,
    )


def instance_record(row: Row[Any]) -> InstanceRecord:
    """A row of ``search_instances``."""
    return InstanceRecord(
        study_uid=StudyUID(row.study_uid),
        series_uid=SeriesUID(row.series_uid),
        instance_uid=InstanceUID(row.instance_uid),
        sop_class_uid=SOPClassUID(row.sop_class_uid),
        transfer_syntax_uid=TransferSyntaxUID(row.transfer_syntax_uid),
        number=row.number,
        frames=row.frames,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
    )


def find_study(connection: Connection, study_uid: str) -> StudyRecord | None:
    """The study, or None."""
    row = connection.execute(
        select(studies).where(studies.c.study_uid == study_uid, studies.c.instance_count > 0)
    ).one_or_none()
    return study_record(row) if row else None


def list_series(connection: Connection, study_uid: str) -> list[SeriesRecord]:
    """The study's series, by number then UID; those without a number last."""
    rows = search_series(connection, SeriesQuery({"StudyInstanceUID": study_uid}))
    return sorted((series_record(row) for row in rows), key=_series_order)


def list_instances(connection: Connection, series_uid: str) -> list[InstanceRecord]:
    """The series' instances, by number then UID; those without a number last."""
    rows = search_instances(connection, InstanceQuery({"SeriesInstanceUID": series_uid}))
    return sorted((instance_record(row) for row in rows), key=_instance_order)


def find_instance(connection: Connection, instance_uid: str) -> Row[Any] | None:
    """The full index row of one instance (with ``location``), or None."""
    found: Sequence[Row[Any]] = search_instances(
        connection, InstanceQuery({"SOPInstanceUID": instance_uid}, limit=1)
    )
    return found[0] if found else None


def _series_order(record: SeriesRecord) -> tuple[bool, int, str]:
    return (record.number is None, record.number or 0, record.series_uid)


def _instance_order(record: InstanceRecord) -> tuple[bool, int, str]:
    return (record.number is None, record.number or 0, record.instance_uid)
