"""Generations of jobs: how often one was put back after it had ended; recently ended ones."""

import sqlalchemy as sa
from alembic import op

revision = "pipelines_0003"
down_revision = "pipelines_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("generation", sa.Integer, nullable=False, server_default="0"))
    op.create_index("jobs_finished", "jobs", ["finished_at"])


def downgrade() -> None:
    op.drop_index("jobs_finished", "jobs")
    op.drop_column("jobs", "generation")
