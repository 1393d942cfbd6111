"""Tables of people, sessions, tokens and the audit chain (first migration: ``ennead_0001``)."""

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
    String,
    Table,
    Text,
)

from ennead.database.types import JSONDocument, UTCDateTime

metadata: Final = MetaData()

_ID = BigInteger().with_variant(Integer(), "sqlite")

users: Final = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("display_name", String(200), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("roles", JSONDocument, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    # Wrong passwords since the last right one.
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", UTCDateTime),
    Column("created_at", UTCDateTime, nullable=False),
    Column("password_changed_at", UTCDateTime, nullable=False),
    Column("last_login_at", UTCDateTime),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_name", String(64), ForeignKey("users.name"), nullable=False),
    Column("address", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Index("sessions_user", "user_name"),
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("roles", JSONDocument, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", UTCDateTime),
    Column("last_used_at", UTCDateTime),
    Column("revoked_at", UTCDateTime),
)

audit: Final = Table(
    "audit",
    metadata,
    # Given by the writer, without gaps: a gap is a removed row.
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("at", UTCDateTime, nullable=False),
    Column("principal", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("object_uid", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("purpose", String(200), nullable=False),
    # JSON as text: the hash is over exactly these characters.
    Column("detail", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_hash", "hash"),
    Index("audit_study", "study_uid", "id"),
)
