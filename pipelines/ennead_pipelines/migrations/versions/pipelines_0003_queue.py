"""Generations of jobs, recently ended ones; UPS-RS: claims, requests, subscriptions."""

import sqlalchemy as sa
from alembic import op

from ennead.database.types import JSONDocument, UTCDateTime

revision = "pipelines_0003"
down_revision = "pipelines_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("generation", sa.Integer, nullable=False, server_default="0"))
    op.create_index("jobs_finished", "jobs", ["finished_at"])
    op.create_table(
        "job_generations",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("document", JSONDocument, nullable=False),
    )
    op.create_table(
        "workitem_requests",
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("document", JSONDocument, nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_at", UTCDateTime, nullable=False),
    )
    op.create_index("workitem_requests_job", "workitem_requests", ["job_id", "generation"])
    op.create_table(
        "workitem_claims",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("transaction_digest", sa.String(64), nullable=False),
        sa.Column("performer", sa.String(64), nullable=False),
        sa.Column("claimed_at", UTCDateTime, nullable=False),
        sa.Column("completed", sa.Boolean, nullable=False),
        sa.Column("document", JSONDocument, nullable=False),
    )
    op.create_table(
        "workitem_subscriptions",
        sa.Column("ae_title", sa.String(16), primary_key=True),
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("subscribed", sa.Boolean, nullable=False),
        sa.Column("deletion_lock", sa.Boolean, nullable=False),
        sa.Column("suspended_at", UTCDateTime),
        sa.Column("principal", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
    )


def downgrade() -> None:
    for table in ("workitem_subscriptions", "workitem_claims", "workitem_requests"):
        op.drop_table(table)
    op.drop_table("job_generations")
    op.drop_index("jobs_finished", "jobs")
    op.drop_column("jobs", "generation")
