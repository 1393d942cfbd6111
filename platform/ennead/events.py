"""The outbox: what happened, written in the same transaction as the thing that happened.

Rooms do not call each other; they publish here and read here. Delivery is at least once and in
commit order, so a consumer must be idempotent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
)

from ennead.database.engine import upsert
from ennead.database.types import JSONDocument, UTCDateTime

metadata = MetaData()

_ID = BigInteger().with_variant(Integer(), "sqlite")

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    # PostgreSQL's transaction id: ids are handed out before commits, so order needs both.
    Column("transaction_id", BigInteger, nullable=False, default=0),
    Column("kind", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False, default=""),
    Column("payload", JSONDocument, nullable=False, default=dict),
    Column("created_at", UTCDateTime, nullable=False),
    Index("outbox_order", "transaction_id", "id"),
)

outbox_cursors: Final = Table(
    "outbox_cursors",
    metadata,
    Column("consumer", String(64), primary_key=True),
    Column("transaction_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
)

#: Instances of a study were stored; payload ``{"series": [uid, …]}``. At least one event is
#: committed with (not after) the instances it speaks of; several stores may share one event.
STUDY_CHANGED: Final = "study.changed"
#: A job reached a new state; payload ``{"job": id, "package": id, "state": state}``.
JOB_CHANGED: Final = "job.changed"
#: A reader decided on a finding; payload ``{"finding": id, "decision": decision}``.
FINDING_REVIEWED: Final = "finding.reviewed"
#: Another system's work on a workitem should stop; payload ``{"job": id, "uid": uid, "reason":
#: text, "by": name}``.
CANCEL_REQUESTED: Final = "workitem.cancel_requested"
#: Somebody subscribed to workitems; payload ``{"uid": uid, "ae_title": title}``.
SUBSCRIBED: Final = "workitem.subscribed"
#: A model was installed or reached a new state; payload ``{"model": id, "version": version,
#: "state": state}``.
MODEL_CHANGED: Final = "model.changed"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the outbox."""

    id: int
    transaction_id: int
    kind: str
    study_uid: str
    payload: Mapping[str, Any]
    created_at: dt.datetime


def publish(
    connection: Connection,
    kind: str,
    *,
    study_uid: str = "",
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Append an event to the caller's transaction."""
    row: dict[str, Any] = {
        "kind": kind,
        "study_uid": study_uid,
        "payload": dict(payload or {}),
        "created_at": dt.datetime.now(dt.UTC),
    }
    if connection.dialect.name == "postgresql":
        row["transaction_id"] = literal_column("pg_current_xact_id()::text::bigint")
    connection.execute(insert(outbox).values(**row))


def pending(connection: Connection, consumer: str, limit: int = 500) -> list[Event]:
    """Events the consumer has not acknowledged, in commit order.

    On PostgreSQL only transactions older than every running one are shown, so that no event can
    appear later with a smaller position.
    """
    cursor = connection.execute(
        select(outbox_cursors.c.transaction_id, outbox_cursors.c.event_id).where(
            outbox_cursors.c.consumer == consumer
        )
    ).one_or_none()
    position = (cursor.transaction_id, cursor.event_id) if cursor else (-1, -1)
    return after(connection, position, limit)


def after(connection: Connection, position: tuple[int, int], limit: int = 500) -> list[Event]:
    """Events after ``position`` (transaction id, event id), in commit order; no cursor is kept.

    For readers that only watch, such as open web pages.
    """
    transaction_id, event_id = position
    query = (
        select(outbox)
        .where(
            or_(
                outbox.c.transaction_id > transaction_id,
                (outbox.c.transaction_id == transaction_id) & (outbox.c.id > event_id),
            ),
            *_settled(connection),
        )
        .order_by(outbox.c.transaction_id, outbox.c.id)
        .limit(limit)
    )
    return [
        Event(r.id, r.transaction_id, r.kind, r.study_uid, r.payload, r.created_at)
        for r in connection.execute(query)
    ]


def newest(connection: Connection) -> tuple[int, int]:
    """The position of the newest event, for :func:`after`; (-1, -1) when there is none."""
    row = connection.execute(
        select(outbox.c.transaction_id, outbox.c.id)
        .where(*_settled(connection))
        .order_by(outbox.c.transaction_id.desc(), outbox.c.id.desc())
        .limit(1)
    ).one_or_none()
    return (row.transaction_id, row.id) if row else (-1, -1)


def _settled(connection: Connection) -> list[ColumnElement[bool]]:
    """On PostgreSQL: only transactions older than every running one."""
    if connection.dialect.name != "postgresql":
        return []
    horizon: ColumnElement[int] = literal_column(
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    )
    return [outbox.c.transaction_id < horizon]


def acknowledge(connection: Connection, consumer: str, event: Event) -> None:
    """Move the consumer's cursor to ``event``, in the transaction of the event's effect."""
    upsert(
        connection,
        outbox_cursors,
        {
            "consumer": consumer,
            "transaction_id": event.transaction_id,
            "event_id": event.id,
        },
        keys=["consumer"],
    )


def prune(connection: Connection, keep: dt.timedelta) -> int:
    """Delete events older than ``keep`` that every consumer has passed; returns how many."""
    floor = connection.execute(
        select(func.min(outbox_cursors.c.transaction_id), func.min(outbox_cursors.c.event_id))
    ).one()
    if floor[0] is None:
        return 0
    before = dt.datetime.now(dt.UTC) - keep
    return connection.execute(
        delete(outbox).where(
            outbox.c.transaction_id <= floor[0],
            outbox.c.id <= floor[1],
            outbox.c.created_at < before,
        )
    ).rowcount
