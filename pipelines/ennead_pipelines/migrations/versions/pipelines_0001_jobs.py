"""Packages, settled studies, jobs, findings, decisions, timeline."""

import sqlalchemy as sa
from alembic import op

from ennead.database.types import JSONDocument, UTCDateTime

revision = "pipelines_0001"
down_revision = None
branch_labels = ("pipelines",)
depends_on = "ennead_0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("package", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("manifest_digest", sa.String(80), nullable=False),
        sa.Column("input_digest", sa.String(80), nullable=False),
        sa.Column("parameters_digest", sa.String(80), nullable=False),
        sa.Column("title", JSONDocument, nullable=False),
        sa.Column("inputs", JSONDocument, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("not_before", UTCDateTime, nullable=False),
        sa.Column("lease_owner", sa.String(120), nullable=False),
        sa.Column("lease_until", UTCDateTime),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("step", sa.String(120), nullable=False),
        sa.Column("reason_key", sa.String(200), nullable=False),
        sa.Column("reason_values", JSONDocument, nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.Column("updated_at", UTCDateTime, nullable=False),
        sa.Column("started_at", UTCDateTime),
        sa.Column("finished_at", UTCDateTime),
        sa.Column("content_digest", sa.String(80), nullable=False),
        sa.Column("seg_instance_uid", sa.String(64), nullable=False),
        sa.Column("seg_series_uid", sa.String(64), nullable=False),
        sa.Column("sr_instance_uid", sa.String(64), nullable=False),
        sa.Column("sr_series_uid", sa.String(64), nullable=False),
        sa.Column("current_sr_uid", sa.String(64), nullable=False),
        sa.Column("review_lock", sa.String(32), nullable=False),
        sa.Column("review_lock_until", UTCDateTime),
        sa.UniqueConstraint(
            "study_uid",
            "package",
            "version",
            "manifest_digest",
            "input_digest",
            "parameters_digest",
            name="jobs_identity",
        ),
    )
    op.create_index("jobs_queue", "jobs", ["state", "not_before"])
    op.create_index("jobs_study", "jobs", ["study_uid", "package"])
    op.create_index("jobs_updated", "jobs", ["updated_at"])
    op.create_table(
        "package_states",
        sa.Column("package", sa.String(64), primary_key=True),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("changed_at", UTCDateTime, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "series_choices",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("package", sa.String(64), primary_key=True),
        sa.Column("input", sa.String(64), primary_key=True),
        sa.Column("series_uid", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reasons", JSONDocument, nullable=False),
        sa.Column("at", UTCDateTime, nullable=False),
    )
    op.create_table(
        "settlements",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("changed_at", UTCDateTime, nullable=False),
        sa.Column("settled_at", UTCDateTime),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("settlements_open", "settlements", ["settled_at", "changed_at"])
    op.create_table(
        "study_states",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
        sa.Column("updated_at", UTCDateTime, nullable=False),
    )
    op.create_index("study_states_order", "study_states", ["urgent", "state"])
    op.create_table(
        "timeline",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("package", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("at", UTCDateTime, nullable=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("text_key", sa.String(200), nullable=False),
        sa.Column("text_values", JSONDocument, nullable=False),
        sa.Column("duration_s", sa.Float),
        sa.Column("links", JSONDocument, nullable=False),
    )
    op.create_index("timeline_study", "timeline", ["study_uid", "id"])
    op.create_table(
        "findings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("package", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("tracking_uid", sa.String(64), nullable=False),
        sa.Column("document", JSONDocument, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
    )
    op.create_index("findings_job", "findings", ["job_id"])
    op.create_index("findings_study", "findings", ["study_uid", "package", "ordinal"])
    op.create_table(
        "job_refusals",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("subject_title", JSONDocument, nullable=False),
        sa.Column("text_key", sa.String(200), nullable=False),
        sa.Column("text_values", JSONDocument, nullable=False),
        sa.Column("series_uid", sa.String(64), nullable=False),
    )
    op.create_index("job_refusals_job", "job_refusals", ["job_id", "id"])
    op.create_table(
        "decisions",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("finding_id", sa.String(32), sa.ForeignKey("findings.id"), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("reader_name", sa.String(200), nullable=False),
        sa.Column("at", UTCDateTime, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("values", JSONDocument, nullable=False),
        sa.Column("sr_instance_uid", sa.String(64), nullable=False),
        sa.UniqueConstraint("finding_id", "revision", name="decisions_revision"),
    )


def downgrade() -> None:
    for table in (
        "decisions",
        "job_refusals",
        "findings",
        "timeline",
        "study_states",
        "settlements",
        "series_choices",
        "package_states",
        "jobs",
    ):
        op.drop_table(table)
