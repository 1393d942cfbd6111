"""The table of parts: what runs where, and how it is.

Only a node's supervisor writes its rows (one small transaction for all of them every few
seconds); ``/readyz`` of every node reads them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, delete, insert, select

from ennead.database.types import UTCDateTime
from ennead.settings import Settings

metadata: Final = MetaData()

parts: Final = Table(
    "parts",
    metadata,
    Column("node", String(80), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("copy", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("detail", String(500), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("restarts", Integer, nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("beat_at", UTCDateTime, nullable=False),
)

#: A part whose last beat is older than this is not counted as running.
STALE_AFTER: Final = dt.timedelta(seconds=15)
#: Rows of other nodes older than this are forgotten.
FORGET_AFTER: Final = dt.timedelta(hours=1)


class PartState(StrEnum):
    """How a part is."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    CRASH_LOOP = "crash-loop"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Part:
    """One process, or one service that could not be loaded (``BROKEN``, pid 0)."""

    name: str
    copy: int
    state: PartState
    detail: str
    pid: int
    restarts: int
    since: dt.datetime
    beat_at: dt.datetime
    node: str = ""


def node_id(settings: Settings) -> str:
    """Name of this instance among others on the same database: host and home."""
    home = hashlib.sha256(str(settings.home).encode()).hexdigest()[:8]
    return f"{socket.gethostname()[:64]}:{home}"


def write(connection: Connection, node: str, current: Sequence[Part]) -> None:
    """Replace the node's rows by ``current`` and forget nodes long gone."""
    long_gone = parts.c.beat_at < dt.datetime.now(dt.UTC) - FORGET_AFTER
    connection.execute(delete(parts).where((parts.c.node == node) | long_gone))
    if current:
        connection.execute(
            insert(parts),
            [
                {
                    "node": node,
                    "name": p.name,
                    "copy": p.copy,
                    "state": str(p.state),
                    "detail": p.detail[:500],
                    "pid": p.pid,
                    "restarts": p.restarts,
                    "since": p.since,
                    "beat_at": p.beat_at,
                }
                for p in current
            ],
        )


def read(connection: Connection) -> list[Part]:
    """Every node's parts."""
    order = (parts.c.node, parts.c.name, parts.c.copy)
    return [
        Part(
            r.name,
            r.copy,
            PartState(r.state),
            r.detail,
            r.pid,
            r.restarts,
            r.since,
            r.beat_at,
            r.node,
        )
        for r in connection.execute(select(parts).order_by(*order))
    ]
