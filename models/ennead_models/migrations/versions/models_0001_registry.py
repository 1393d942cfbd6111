"""Installed models and their history."""

import sqlalchemy as sa
from alembic import op

from ennead.database.types import JSONDocument, UTCDateTime

revision = "models_0001"
down_revision = None
branch_labels = ("models",)
depends_on = "ennead_0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "installed_models",
        sa.Column("model", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(32), primary_key=True),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("manifest", JSONDocument, nullable=False),
        sa.Column("licence_accepted_by", sa.String(64), nullable=False),
        sa.Column("licence_accepted_at", UTCDateTime, nullable=False),
        sa.Column("code_accepted", sa.Boolean, nullable=False),
        sa.Column("reference", JSONDocument, nullable=False),
        sa.Column("reference_at", UTCDateTime, nullable=False),
        sa.Column("pilot", JSONDocument, nullable=False),
        sa.Column("previous", sa.String(32), nullable=False),
        sa.Column("measured", JSONDocument, nullable=False),
        sa.Column("installed_at", UTCDateTime, nullable=False),
        sa.Column("installed_by", sa.String(64), nullable=False),
        sa.Column("changed_at", UTCDateTime, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
    )
    op.create_index("installed_models_state", "installed_models", ["state"])
    op.create_table(
        "model_events",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at", UTCDateTime, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("action", sa.String(24), nullable=False),
        sa.Column("from_state", sa.String(16), nullable=False),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("detail", JSONDocument, nullable=False),
    )
    op.create_index("model_events_model", "model_events", ["model", "id"])


def downgrade() -> None:
    op.drop_table("model_events")
    op.drop_table("installed_models")
