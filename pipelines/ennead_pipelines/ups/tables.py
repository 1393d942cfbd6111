"""What a job does not know of its workitem: generations, claims, requests, subscriptions."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from ennead.database.types import JSONDocument, UTCDateTime
from ennead_pipelines.tables import job_generations, metadata

__all__ = ["claims", "job_generations", "requests", "subscriptions"]

#: Workitems that other systems created, under the UID that they chose.
requests: Final = Table(
    "workitem_requests",
    metadata,
    Column("uid", String(64), primary_key=True),
    Column("job_id", String(32), ForeignKey("jobs.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    # The dataset as it came, DICOM JSON Model.
    Column("document", JSONDocument, nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("requested_at", UTCDateTime, nullable=False),
    Index("workitem_requests_job", "job_id", "generation"),
)

#: Jobs that another system has taken. The Transaction UID is a secret: only its digest is kept.
claims: Final = Table(
    "workitem_claims",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id"), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("transaction_digest", String(64), nullable=False),
    Column("performer", String(64), nullable=False),
    Column("claimed_at", UTCDateTime, nullable=False),
    Column("completed", Boolean, nullable=False, default=False),
    # What the performer has said of its work, DICOM JSON Model.
    Column("document", JSONDocument, nullable=False, default=dict),
)

#: Who wants to hear of which workitem; ``subscribed`` false takes one out of a global subscription.
subscriptions: Final = Table(
    "workitem_subscriptions",
    metadata,
    Column("ae_title", String(16), primary_key=True),
    Column("uid", String(64), primary_key=True),
    Column("subscribed", Boolean, nullable=False, default=True),
    Column("deletion_lock", Boolean, nullable=False, default=False),
    # A global subscription: workitems made later are no longer subscribed to.
    Column("suspended_at", UTCDateTime),
    Column("principal", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
)
