"""The tables of this room: packages' states, settled studies, jobs, findings, decisions.

Every row that a person sees is self-contained: titles, units and formulas are copied from the
manifest when a result is stored, so that it stays readable after its package is removed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ennead.database.types import JSONDocument, UTCDateTime

metadata = MetaData()

_ID = BigInteger().with_variant(Integer(), "sqlite")

package_states: Final = Table(
    "package_states",
    metadata,
    Column("package", String(64), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(64), nullable=False),
)

settlements: Final = Table(
    "settlements",
    metadata,
    Column("study_uid", String(64), primary_key=True),
    Column("changed_at", UTCDateTime, nullable=False),
    # Null while the study is still arriving.
    Column("settled_at", UTCDateTime),
    Column("attempts", Integer, nullable=False, default=0),
    Index("settlements_open", "settled_at", "changed_at"),
)

jobs: Final = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("study_uid", String(64), nullable=False),
    Column("package", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("manifest_digest", String(80), nullable=False),
    Column("input_digest", String(80), nullable=False),
    Column("parameters_digest", String(80), nullable=False),
    Column("title", JSONDocument, nullable=False),
    Column("inputs", JSONDocument, nullable=False),
    Column("state", String(16), nullable=False),
    # Runs begun, and runs that ended by the package's own fault.
    Column("attempts", Integer, nullable=False, default=0),
    Column("failures", Integer, nullable=False, default=0),
    Column("not_before", UTCDateTime, nullable=False),
    Column("lease_owner", String(120), nullable=False, default=""),
    Column("lease_until", UTCDateTime),
    Column("fraction", Float, nullable=False, default=0.0),
    Column("step", String(120), nullable=False, default=""),
    Column("reason_key", String(200), nullable=False, default=""),
    Column("reason_values", JSONDocument, nullable=False, default=dict),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime),
    Column("finished_at", UTCDateTime),
    Column("content_digest", String(80), nullable=False, default=""),
    Column("seg_instance_uid", String(64), nullable=False, default=""),
    Column("seg_series_uid", String(64), nullable=False, default=""),
    Column("sr_instance_uid", String(64), nullable=False, default=""),
    Column("sr_series_uid", String(64), nullable=False, default=""),
    # The newest document of the family: the AI's own, then each successor.
    Column("current_sr_uid", String(64), nullable=False, default=""),
    Column("review_lock", String(32), nullable=False, default=""),
    Column("review_lock_until", UTCDateTime),
    # "" runs on arrival; else the interactive function, with what it was given and answered.
    Column("function", String(64), nullable=False, default=""),
    Column("call", JSONDocument, nullable=False, default=dict),
    Column("answer", JSONDocument, nullable=False, default=dict),
    # active | pilot | shadow: who may see the results.
    Column("lane", String(16), nullable=False, default="active"),
    # Smaller runs first: 0 interactive, 10 stat, 50 routine, 90 off-peak.
    Column("priority", Integer, nullable=False, default=50),
    Column("requested_by", String(64), nullable=False, default=""),
    Column("thresholds", JSONDocument, nullable=False, default=dict),
    # The site's rule that decided, by name; "" when none did.
    Column("rule", String(120), nullable=False, default=""),
    # What the images were like (kVp, thickness, manufacturer …), for drift.
    Column("features", JSONDocument, nullable=False, default=dict),
    # Models that the package may ask: id → digest.
    Column("models", JSONDocument, nullable=False, default=dict),
    # Clinical facts, earlier findings and anatomy providers that the run is given.
    Column("given", JSONDocument, nullable=False, default=dict),
    Column("durations", JSONDocument, nullable=False, default=dict),
    # Counts the times that it was put back after an end: a cancelled workitem stays cancelled.
    Column("generation", Integer, nullable=False, default=0),
    UniqueConstraint(
        "study_uid",
        "package",
        "version",
        "manifest_digest",
        "input_digest",
        "parameters_digest",
        name="jobs_identity",
    ),
    Index("jobs_queue", "state", "priority", "not_before"),
    Index("jobs_study", "study_uid", "package"),
    Index("jobs_updated", "updated_at"),
    Index("jobs_package", "package", "version", "finished_at"),
    Index("jobs_finished", "finished_at"),
)

#: How a job stood at the end of an earlier generation: why it had failed or was cancelled.
job_generations: Final = Table(
    "job_generations",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("document", JSONDocument, nullable=False),
)

job_refusals: Final = Table(
    "job_refusals",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("job_id", String(32), ForeignKey("jobs.id"), nullable=False),
    # select: decided from headers; run: said by the package or by the worker.
    Column("stage", String(16), nullable=False),
    Column("code", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("subject_title", JSONDocument, nullable=False),
    Column("text_key", String(200), nullable=False),
    Column("text_values", JSONDocument, nullable=False),
    Column("series_uid", String(64), nullable=False, default=""),
    Index("job_refusals_job", "job_id", "id"),
)

series_choices: Final = Table(
    "series_choices",
    metadata,
    Column("study_uid", String(64), primary_key=True),
    Column("package", String(64), primary_key=True),
    Column("input", String(64), primary_key=True),
    Column("series_uid", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    # [{code, text_key, values}]
    Column("reasons", JSONDocument, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)

findings: Final = Table(
    "findings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("job_id", String(32), ForeignKey("jobs.id"), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("package", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False, default=False),
    Column("lane", String(16), nullable=False, default="active"),
    Column("tracking_uid", String(64), nullable=False),
    Column("document", JSONDocument, nullable=False),
    Column("revision", Integer, nullable=False, default=0),
    Column("created_at", UTCDateTime, nullable=False),
    Index("findings_study", "study_uid", "package", "ordinal"),
    Index("findings_job", "job_id"),
)

decisions: Final = Table(
    "decisions",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("finding_id", String(32), ForeignKey("findings.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reader", String(64), nullable=False),
    Column("reader_name", String(200), nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("comment", Text, nullable=False, default=""),
    Column("values", JSONDocument, nullable=False),
    Column("sr_instance_uid", String(64), nullable=False),
    UniqueConstraint("finding_id", "revision", name="decisions_revision"),
)

timeline: Final = Table(
    "timeline",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("study_uid", String(64), nullable=False),
    Column("package", String(64), nullable=False, default=""),
    Column("job_id", String(32), nullable=False, default=""),
    Column("at", UTCDateTime, nullable=False),
    Column("step", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("text_key", String(200), nullable=False),
    Column("text_values", JSONDocument, nullable=False),
    Column("duration_s", Float),
    # [{label_key, href}]
    Column("links", JSONDocument, nullable=False),
    Index("timeline_study", "study_uid", "id"),
)

study_states: Final = Table(
    "study_states",
    metadata,
    Column("study_uid", String(64), primary_key=True),
    # waiting | running | ready | reviewed | refused | failed
    Column("state", String(16), nullable=False),
    Column("urgent", Boolean, nullable=False, default=False),
    Column("findings", Integer, nullable=False, default=0),
    Column("accepted", Integer, nullable=False, default=0),
    Column("rejected", Integer, nullable=False, default=0),
    Column("updated_at", UTCDateTime, nullable=False),
    Index("study_states_order", "urgent", "state"),
)

#: Results of shadow and pilot runs: kept out of the archive until they are released.
held_objects: Final = Table(
    "held_objects",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id"), primary_key=True),
    Column("instance_uid", String(64), primary_key=True),
    # seg | sr | pm
    Column("kind", String(16), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
)

#: One row for every list of rules that was ever in force; the newest is.
site_revisions: Final = Table(
    "site_revisions",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("comment", Text, nullable=False, default=""),
    # The revision whose rules these are again, after an undo.
    Column("restored", Integer),
)

site_rules: Final = Table(
    "site_rules",
    metadata,
    Column("revision", Integer, ForeignKey("site_revisions.revision"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("note", Text, nullable=False, default=""),
    Column("condition", JSONDocument, nullable=False),
    Column("action", JSONDocument, nullable=False),
)

site_thresholds: Final = Table(
    "site_thresholds",
    metadata,
    Column("package", String(64), primary_key=True),
    Column("threshold", String(64), primary_key=True),
    Column("value", Float, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(64), nullable=False),
)

#: Entered by the site from a document that an authority issued; never by Ennead.
certificates: Final = Table(
    "certificates",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("package", String(64), nullable=False),
    Column("issuer", String(200), nullable=False),
    Column("number", String(120), nullable=False),
    Column("scope", Text, nullable=False),
    Column("package_version", String(32), nullable=False),
    # ISO 8601 dates; "" where the document names none.
    Column("valid_from", String(10), nullable=False, default=""),
    Column("valid_until", String(10), nullable=False, default=""),
    Column("withdrawn", Boolean, nullable=False, default=False),
    Column("withdrawal", Text, nullable=False, default=""),
    Column("added_at", UTCDateTime, nullable=False),
    Column("added_by", String(64), nullable=False),
    Index("certificates_package", "package"),
)

#: A version of a model over studies of the past, asked for by a person.
reruns: Final = Table(
    "reruns",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("lane", String(16), nullable=False),
    # What was asked for: {"studies": […]} or {"filter": {…}}.
    Column("criteria", JSONDocument, nullable=False),
    Column("cancelled", Boolean, nullable=False, default=False),
    Column("requested_by", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Index("reruns_model", "model", "version"),
)

rerun_studies: Final = Table(
    "rerun_studies",
    metadata,
    Column("rerun_id", _ID, ForeignKey("reruns.id"), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    # pending | made | same | missing | cancelled
    Column("outcome", String(16), nullable=False),
    Column("job_id", String(32), nullable=False, default=""),
    Index("rerun_studies_pending", "outcome", "rerun_id"),
)

#: How two results of one study differ; both are final, so that it is computed once.
job_differences: Final = Table(
    "job_differences",
    metadata,
    Column("from_job", String(32), primary_key=True),
    Column("to_job", String(32), primary_key=True),
    Column("document", JSONDocument, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
)

#: Runs of a model on a labelled set; the report is found by the digest of its own bytes.
validations: Final = Table(
    "validations",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("set_name", String(200), nullable=False),
    # waiting | running | done | failed
    Column("state", String(16), nullable=False),
    Column("done", Integer, nullable=False, default=0),
    Column("cases", Integer, nullable=False, default=0),
    Column("error", Text, nullable=False, default=""),
    Column("report_digest", String(80), nullable=False, default=""),
    Column("report", Text, nullable=False, default=""),
    Column("requested_by", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    # Told by the worker that runs it.
    Column("touched_at", UTCDateTime, nullable=False),
    Column("finished_at", UTCDateTime),
    Index("validations_model", "model", "version"),
    Index("validations_report", "report_digest"),
)
