"""Tables ``studies``, ``series`` and ``instances``.

Rows refer to each other by small integers, so that ten million instances stay compact; UIDs are
looked up through unique indexes. Text is NFC and stripped of padding; ``*_folded`` columns hold
:func:`ennead.folding.fold` of the same text. Counts and modalities are kept by the ingest in the
transaction that adds the instance, so that no search ever counts rows.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects import postgresql

from ennead.database import UTCDateTime

metadata = MetaData()

_ID = BigInteger().with_variant(Integer(), "sqlite")
# Code-point order on both engines: prefix searches become index ranges.
_TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_UID = String(64).with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")

#: ``instances.state``: the file is there.
STORED: Final = 0
#: ``instances.state``: the file was found missing by the startup sweep; it is not served.
LOST: Final = 1

studies: Final = Table(
    "studies",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("study_uid", _UID, nullable=False, unique=True),
    Column("patient_id", _TEXT, nullable=False, default=""),
    Column("patient_name", _TEXT, nullable=False, default=""),
    # The alphabetic group, folded; the other groups of the name, folded, usually empty.
    Column("patient_name_folded", _TEXT, nullable=False, default=""),
    Column("patient_name_other", _TEXT, nullable=False, default=""),
    Column("patient_sex", String(16), nullable=False, default=""),
    Column("patient_birth_date", String(18), nullable=False, default=""),
    Column("study_date", _UID, nullable=False, default=""),
    Column("study_time", _UID, nullable=False, default=""),
    Column("study_id", _TEXT, nullable=False, default=""),
    Column("accession_number", _TEXT, nullable=False, default=""),
    Column("description", _TEXT, nullable=False, default=""),
    Column("description_folded", _TEXT, nullable=False, default=""),
    Column("referring_physician", _TEXT, nullable=False, default=""),
    Column("referring_physician_folded", _TEXT, nullable=False, default=""),
    # Distinct modalities of the series, sorted, joined by a backslash.
    Column("modalities", _TEXT, nullable=False, default=""),
    Column("series_count", Integer, nullable=False, default=0),
    Column("instance_count", Integer, nullable=False, default=0),
    # Bytes of the header did not fit its SpecificCharacterSet ("sai bảng mã").
    Column("charset_suspect", Boolean, nullable=False, default=False, server_default=false()),
    Column("received_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Index("studies_patient_id", "patient_id"),
    Index("studies_date", "study_date", "study_time", "id"),
    Index("studies_accession", "accession_number"),
    Index("studies_name", "patient_name_folded"),
)

series: Final = Table(
    "series",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("study_key", _ID, ForeignKey(studies.c.id), nullable=False),
    Column("series_uid", _UID, nullable=False, unique=True),
    Column("modality", _UID, nullable=False, default=""),
    Column("number", BigInteger),
    Column("description", _TEXT, nullable=False, default=""),
    Column("body_part", _TEXT, nullable=False, default=""),
    Column("laterality", String(16), nullable=False, default=""),
    Column("protocol_name", _TEXT, nullable=False, default=""),
    Column("series_date", _UID, nullable=False, default=""),
    Column("series_time", _UID, nullable=False, default=""),
    Column("performed_date", _UID, nullable=False, default=""),
    Column("performed_time", _UID, nullable=False, default=""),
    Column("station_name", _TEXT, nullable=False, default=""),
    Column("institution_name", _TEXT, nullable=False, default=""),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("received_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Index("series_study", "study_key", "modality"),
)

instances: Final = Table(
    "instances",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("series_key", _ID, ForeignKey(series.c.id), nullable=False),
    Column("instance_uid", _UID, nullable=False, unique=True),
    Column("sop_class_uid", _UID, nullable=False),
    Column("transfer_syntax_uid", _UID, nullable=False),
    Column("number", BigInteger),
    Column("frames", Integer, nullable=False, default=1),
    # Null for objects without pixels.
    Column("rows", Integer),
    Column("columns", Integer),
    Column("bits_allocated", SmallInteger),
    # Bytes of the Part 10 file, and where the dataset starts in it.
    Column("size_bytes", BigInteger, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    # Hex SHA-256 of the dataset bytes (after the File Meta Information).
    Column("sha256", String(64), nullable=False),
    # Name of the file below ``objects/``; never made from anything a peer sent.
    Column("location", String(64), nullable=False),
    Column("state", SmallInteger, nullable=False, default=STORED),
    # Who sent it: ``dimse:AE@address``, ``stow:user``, ``import:user``, ``pipeline:job``.
    Column("source", String(200), nullable=False, default=""),
    Column("received_at", UTCDateTime, nullable=False),
    Index("instances_series", "series_key", "number", "id"),
)
