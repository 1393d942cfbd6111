"""The index: studies, series, instances.

Revision ID: pacs_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "pacs_0001"
down_revision = None
branch_labels = ("pacs",)
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_UID = sa.String(64).with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def _text(name: str, kind: sa.types.TypeEngine[str] = _TEXT) -> sa.Column[str]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("study_uid", _UID, nullable=False, unique=True),
        _text("patient_id"),
        _text("patient_name"),
        _text("patient_name_folded"),
        _text("patient_name_other"),
        _text("patient_sex", sa.String(16)),
        _text("patient_birth_date", sa.String(18)),
        _text("study_date", _UID),
        _text("study_time", _UID),
        _text("study_id"),
        _text("accession_number"),
        _text("description"),
        _text("description_folded"),
        _text("referring_physician"),
        _text("referring_physician_folded"),
        _text("modalities"),
        sa.Column("series_count", sa.Integer, nullable=False),
        sa.Column("instance_count", sa.Integer, nullable=False),
        sa.Column("charset_suspect", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_index("studies_patient_id", "studies", ["patient_id"])
    op.create_index("studies_date", "studies", ["study_date", "study_time", "id"])
    op.create_index("studies_accession", "studies", ["accession_number"])
    op.create_index("studies_name", "studies", ["patient_name_folded"])
    op.create_table(
        "series",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("study_key", _ID, sa.ForeignKey("studies.id"), nullable=False),
        sa.Column("series_uid", _UID, nullable=False, unique=True),
        _text("modality", _UID),
        sa.Column("number", sa.BigInteger),
        _text("description"),
        _text("body_part"),
        _text("laterality", sa.String(16)),
        _text("protocol_name"),
        _text("series_date", _UID),
        _text("series_time", _UID),
        _text("performed_date", _UID),
        _text("performed_time", _UID),
        _text("station_name"),
        _text("institution_name"),
        sa.Column("instance_count", sa.Integer, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_index("series_study", "series", ["study_key", "modality"])
    op.create_table(
        "instances",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("series_key", _ID, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("instance_uid", _UID, nullable=False, unique=True),
        _text("sop_class_uid", _UID),
        _text("transfer_syntax_uid", _UID),
        sa.Column("number", sa.BigInteger),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("rows", sa.Integer),
        sa.Column("columns", sa.Integer),
        sa.Column("bits_allocated", sa.SmallInteger),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("dataset_offset", sa.Integer, nullable=False),
        _text("sha256", sa.String(64)),
        _text("location", sa.String(64)),
        sa.Column("state", sa.SmallInteger, nullable=False),
        _text("source", sa.String(200)),
        sa.Column("received_at", _TIME, nullable=False),
    )
    op.create_index("instances_series", "instances", ["series_key", "number", "id"])


def downgrade() -> None:
    op.drop_table("instances")
    op.drop_table("series")
    op.drop_table("studies")
