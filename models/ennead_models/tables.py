"""The tables of this room: installed models, and everything that happened to them.

A row is self-contained: the manifest is copied in when a model is installed, so that its results
stay explained after its folder is gone.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from ennead.database.types import JSONDocument, UTCDateTime

metadata: Final = MetaData()

_ID = BigInteger().with_variant(Integer(), "sqlite")

installed_models: Final = Table(
    "installed_models",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("version", String(32), primary_key=True),
    # sha256:… over model.toml and the weights' hash; a version never has two.
    Column("digest", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("folder", Text, nullable=False),
    Column("manifest", JSONDocument, nullable=False),
    # Who agreed to the licence (and, where the files hold code, to running it), and when.
    Column("licence_accepted_by", String(64), nullable=False),
    Column("licence_accepted_at", UTCDateTime, nullable=False),
    Column("code_accepted", Boolean, nullable=False, default=False),
    # What the reference case gave here when it was last run.
    Column("reference", JSONDocument, nullable=False, default=dict),
    Column("reference_at", UTCDateTime, nullable=False),
    # In the state pilot: {"readers": [user names], "sources": [AE titles or stations]}.
    Column("pilot", JSONDocument, nullable=False, default=dict),
    # The version that was active before this one became active; "" when there was none.
    Column("previous", String(32), nullable=False, default=""),
    # What was measured here, such as {"vram_mib": …}.
    Column("measured", JSONDocument, nullable=False, default=dict),
    Column("installed_at", UTCDateTime, nullable=False),
    Column("installed_by", String(64), nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Index("installed_models_state", "state"),
)

model_events: Final = Table(
    "model_events",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("at", UTCDateTime, nullable=False),
    Column("model", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    # installed | moved | rolled-back | checked | reported
    Column("action", String(24), nullable=False),
    Column("from_state", String(16), nullable=False, default=""),
    Column("to_state", String(16), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("by", String(64), nullable=False),
    Column("detail", JSONDocument, nullable=False, default=dict),
    Index("model_events_model", "model", "id"),
)
