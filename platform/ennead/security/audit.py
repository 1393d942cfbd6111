"""The audit chain: append-only, each row sealed with the hash of the row before it.

A row's hash is SHA-256 over the previous row's hash and its own canonical content. Changing a row
breaks its own hash; moving one breaks its link; removing one leaves a gap. Removing the newest
rows leaves nothing to see in the table itself, so the head is also written elsewhere
(:mod:`ennead.security.heads`) and :func:`verify` is given those heads.

Writers of one database are put in line: on SQLite by the write transaction, on PostgreSQL by an
advisory lock held until the caller's transaction ends. Record last, just before the commit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from ennead.errors import AuditUnavailable
from ennead.security.principal import Principal
from ennead.security.tables import audit

_ADVISORY_LOCK: Final = 0x41554449  # "AUDI"
_START: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: who did what, to which object, when, from where, and how it ended."""

    id: int
    at: dt.datetime
    principal: str
    kind: str
    address: str
    action: str
    study_uid: str
    object_uid: str
    outcome: str
    purpose: str
    detail: str
    previous_hash: str
    hash: str

    def seal(self) -> str:
        """The hash this row must have; ``id`` enters by the order of the chain alone."""
        content = json.dumps(
            [
                self.previous_hash,
                self.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
                self.principal,
                self.kind,
                self.address,
                self.action,
                self.study_uid,
                self.object_uid,
                self.outcome,
                self.purpose,
                self.detail,
            ],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row at some moment; ``id`` 0 is the empty chain."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One break of the chain: ``kind`` is ``changed``, ``removed`` or ``reordered``."""

    id: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What :func:`verify` found."""

    rows: int
    head: Head
    problems: tuple[Problem, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, removed or reordered."""
        return not self.problems


def record(
    connection: Connection,
    principal: Principal,
    action: str,
    *,
    study_uid: str = "",
    object_uid: str = "",
    outcome: str = "success",
    detail: Mapping[str, Any] | None = None,
    purpose: str = "",
) -> Entry:
    """Append a row to the chain in the caller's transaction (``Database.begin()``).

    Parameters
    ----------
    action : str
        Dotted words: ``instances.stored``, ``study.opened``, ``finding.accepted``, ``login``.
    outcome : str
        ``success`` or ``failure``.
    detail : mapping
        JSON; identifiers and counts, never a name, birth date or accession number.

    Raises
    ------
    AuditUnavailable
        The row cannot be written; the caller's change must not happen either.
    """
    try:
        if connection.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:k)"), {"k": _ADVISORY_LOCK})
        before = head(connection)
        values: dict[str, Any] = {
            "id": before.id + 1,
            "at": dt.datetime.now(dt.UTC),
            "principal": _plain(principal.name, 64),
            "kind": _plain(principal.kind, 16),
            "address": _plain(principal.address, 64),
            "action": _plain(action, 64),
            "study_uid": _plain(study_uid, 64),
            "object_uid": _plain(object_uid, 64),
            "outcome": _plain(outcome, 16),
            "purpose": _plain(purpose, 200),
            "detail": json.dumps(detail or {}, sort_keys=True, default=str),
            "previous_hash": before.hash,
        }
        values["hash"] = Entry(**values, hash="").seal()
        connection.execute(insert(audit).values(**values))
    except SQLAlchemyError as error:
        raise AuditUnavailable(
            "The audit trail cannot be written, so nothing may change. Check the disk and the "
            "database, then try again.",
            cause=type(error).__name__,
        ) from error
    return Entry(**values)


def head(connection: Connection) -> Head:
    """The newest row."""
    row = connection.execute(
        select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    ).one_or_none()
    return Head(row.id, row.hash) if row else Head(0, _START)


def page(
    connection: Connection,
    *,
    before: int | None = None,
    limit: int = 100,
    action: str = "",
    study_uid: str = "",
    principal: str = "",
) -> list[Entry]:
    """Rows, newest first, with ids below ``before``; ``action`` may be a prefix (``login``)."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    if action:
        query = query.where(
            (audit.c.action == action) | audit.c.action.startswith(action + ".", autoescape=True)
        )
    if study_uid:
        query = query.where(audit.c.study_uid == study_uid)
    if principal:
        query = query.where(audit.c.principal == principal)
    return [Entry(**row._mapping) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    """How many rows there are."""
    return connection.execute(select(func.count()).select_from(audit)).scalar_one()


def verify(connection: Connection, heads: Sequence[Head] = ()) -> Verification:
    """Walk the whole chain and say which rows were changed, removed or reordered.

    Parameters
    ----------
    heads : sequence of Head
        Heads written elsewhere earlier; each must still be in the chain. Rows removed from the
        end are found by these alone.
    """
    problems: list[Problem] = []
    last, rows = Head(0, _START), 0
    wanted = {h.id: h.hash for h in heads if h.id}
    result = connection.execution_options(yield_per=2000).execute(
        select(audit).order_by(audit.c.id)
    )
    for row in result:
        entry = Entry(**row._mapping)
        rows += 1
        problems += _check(connection, entry, last)
        if wanted.pop(entry.id, entry.hash) != entry.hash:
            problems.append(Problem(entry.id, "changed", "differs from the head written elsewhere"))
        last = Head(entry.id, entry.hash)
    problems += [
        Problem(id, "removed", "was the head written elsewhere and is gone")
        for id in sorted(wanted)
    ]
    return Verification(rows, last, tuple(problems))


def _check(connection: Connection, entry: Entry, last: Head) -> list[Problem]:
    found = []
    if entry.id > last.id + 1:
        gone = f"{last.id + 1}" if entry.id == last.id + 2 else f"{last.id + 1}–{entry.id - 1}"
        found.append(Problem(last.id + 1, "removed", f"row {gone} is gone"))
    elif entry.previous_hash != last.hash:
        moved = entry.previous_hash == _START or _exists(connection, entry.previous_hash)
        found.append(
            Problem(entry.id, "reordered", "does not follow the row before it")
            if moved
            else Problem(entry.id, "removed", "the row it was written after is gone")
        )
    if entry.seal() != entry.hash:
        found.append(Problem(entry.id, "changed", "content does not match its hash"))
    return found


def _exists(connection: Connection, hash_: str) -> bool:
    return (
        connection.execute(select(audit.c.id).where(audit.c.hash == hash_).limit(1)).first()
        is not None
    )


def _plain(value: str, length: int) -> str:
    """``value`` without control characters and lone surrogates, cut to its column."""
    kept = "".join(c for c in value if c.isprintable())
    return kept.encode("utf-8", "replace").decode()[:length]
