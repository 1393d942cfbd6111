"""Lanes, priorities and interactive calls of jobs; held results; site rules; certificates."""

import sqlalchemy as sa
from alembic import op

from ennead.database.types import JSONDocument, UTCDateTime

revision = "pipelines_0002"
down_revision = "pipelines_0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("function", sa.String(64), nullable=False, server_default=""),
        sa.Column("call", JSONDocument, nullable=False, server_default="{}"),
        sa.Column("answer", JSONDocument, nullable=False, server_default="{}"),
        sa.Column("lane", sa.String(16), nullable=False, server_default="active"),
        sa.Column("priority", sa.Integer, nullable=False, server_default="50"),
        sa.Column("requested_by", sa.String(64), nullable=False, server_default=""),
        sa.Column("thresholds", JSONDocument, nullable=False, server_default="{}"),
        sa.Column("rule", sa.String(120), nullable=False, server_default=""),
        sa.Column("features", JSONDocument, nullable=False, server_default="{}"),
        sa.Column("models", JSONDocument, nullable=False, server_default="{}"),
        sa.Column("given", JSONDocument, nullable=False, server_default="{}"),
        sa.Column("durations", JSONDocument, nullable=False, server_default="{}"),
    ]


def upgrade() -> None:
    for column in _columns():
        op.add_column("jobs", column)
    op.drop_index("jobs_queue", "jobs")
    op.create_index("jobs_queue", "jobs", ["state", "priority", "not_before"])
    op.add_column(
        "findings", sa.Column("lane", sa.String(16), nullable=False, server_default="active")
    )
    op.create_table(
        "held_objects",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("instance_uid", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
    )
    op.create_table(
        "site_revisions",
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("changed_at", UTCDateTime, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("restored", sa.Integer),
    )
    op.create_table(
        "site_rules",
        sa.Column(
            "revision", sa.Integer, sa.ForeignKey("site_revisions.revision"), primary_key=True
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("condition", JSONDocument, nullable=False),
        sa.Column("action", JSONDocument, nullable=False),
    )
    op.create_table(
        "site_thresholds",
        sa.Column("package", sa.String(64), primary_key=True),
        sa.Column("threshold", sa.String(64), primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("changed_at", UTCDateTime, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "certificates",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("package", sa.String(64), nullable=False),
        sa.Column("issuer", sa.String(200), nullable=False),
        sa.Column("number", sa.String(120), nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("package_version", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.String(10), nullable=False),
        sa.Column("valid_until", sa.String(10), nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("withdrawal", sa.Text, nullable=False),
        sa.Column("added_at", UTCDateTime, nullable=False),
        sa.Column("added_by", sa.String(64), nullable=False),
    )
    op.create_index("certificates_package", "certificates", ["package"])

    op.create_index("jobs_package", "jobs", ["package", "version", "finished_at"])
    _networks()


def _networks() -> None:
    op.create_table(
        "reruns",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("criteria", JSONDocument, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
    )
    op.create_index("reruns_model", "reruns", ["model", "version"])
    op.create_table(
        "rerun_studies",
        sa.Column("rerun_id", _ID, sa.ForeignKey("reruns.id"), primary_key=True),
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
    )
    op.create_index("rerun_studies_pending", "rerun_studies", ["outcome", "rerun_id"])
    op.create_table(
        "job_differences",
        sa.Column("from_job", sa.String(32), primary_key=True),
        sa.Column("to_job", sa.String(32), primary_key=True),
        sa.Column("document", JSONDocument, nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
    )
    op.create_table(
        "validations",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("set_name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("cases", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("report_digest", sa.String(80), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.Column("touched_at", UTCDateTime, nullable=False),
        sa.Column("finished_at", UTCDateTime),
    )
    op.create_index("validations_model", "validations", ["model", "version"])
    op.create_index("validations_report", "validations", ["report_digest"])


def downgrade() -> None:
    for table in ("validations", "job_differences", "rerun_studies", "reruns"):
        op.drop_table(table)
    op.drop_index("jobs_package", "jobs")
    for table in (
        "certificates",
        "site_thresholds",
        "site_rules",
        "site_revisions",
        "held_objects",
    ):
        op.drop_table(table)
    op.drop_column("findings", "lane")
    op.drop_index("jobs_queue", "jobs")
    op.create_index("jobs_queue", "jobs", ["state", "not_before"])
    for column in _columns():
        op.drop_column("jobs", column.name)
