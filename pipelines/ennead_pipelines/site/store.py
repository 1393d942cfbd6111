"""The rules of the site in revisions: reading, replacing, undoing, history.

Nothing is ever overwritten. A new list is a new revision; undoing writes one more with older rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, func, insert, select

from ennead.database import insert_ignore
from ennead.errors import Conflict, NotFound
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.jobs.states import now
from ennead_pipelines.site.decide import SiteControl
from ennead_pipelines.site.rules import Rule
from ennead_pipelines.site.thresholds import site_thresholds_of
from ennead_pipelines.tables import site_revisions, site_rules


@dataclass(frozen=True, slots=True)
class Revision:
    """A list of rules as it was, or is, in force; revision 0 is the empty list of the beginning."""

    number: int
    rules: tuple[Rule, ...] = ()
    at: dt.datetime | None = None
    by: str = ""
    comment: str = ""
    restored: int | None = None


@dataclass(frozen=True, slots=True)
class RulesDifference:
    """What changed between two lists; rules are known by their names."""

    added: tuple[Rule, ...]
    removed: tuple[Rule, ...]
    changed: tuple[tuple[Rule, Rule], ...]
    reordered: bool

    def as_json(self) -> dict[str, Any]:
        """With old and new values, for the audit trail."""
        return {
            "added": [rule.as_json() for rule in self.added],
            "removed": [rule.as_json() for rule in self.removed],
            "changed": [{"old": old.as_json(), "new": new.as_json()} for old, new in self.changed],
            "reordered": self.reordered,
        }


def load_control(connection: Connection, zone: ZoneInfo) -> SiteControl:
    """Rules and thresholds in force."""
    current = current_rules(connection)
    return SiteControl(zone, current.rules, site_thresholds_of(connection), current.number)


def current_rules(connection: Connection) -> Revision:
    """The rules in force."""
    newest = connection.execute(select(func.max(site_revisions.c.revision))).scalar_one()
    return read_revision(connection, newest or 0)


def read_revision(connection: Connection, number: int) -> Revision:
    """One revision.

    Raises
    ------
    NotFound
    """
    if number == 0:
        return Revision(0)
    row = connection.execute(
        select(site_revisions).where(site_revisions.c.revision == number)
    ).one_or_none()
    if row is None:
        raise NotFound(f"The rules have no revision {number}; see ennead rules history.")
    rows = connection.execute(
        select(site_rules).where(site_rules.c.revision == number).order_by(site_rules.c.position)
    ).all()
    return _revision(row, rows)


def history(connection: Connection, limit: int = 100) -> list[tuple[Revision, RulesDifference]]:
    """The newest revisions, newest first, each with what it changed."""
    heads = connection.execute(
        select(site_revisions).order_by(site_revisions.c.revision.desc()).limit(limit)
    ).all()
    found = []
    for head in heads:
        after = read_revision(connection, head.revision)
        found.append((after, difference(read_revision(connection, head.revision - 1), after)))
    return found


def difference(before: Revision, after: Revision) -> RulesDifference:
    """What ``after`` changed."""
    old = {rule.name: rule for rule in before.rules}
    new = {rule.name: rule for rule in after.rules}
    kept = [name for name in old if name in new]
    return RulesDifference(
        added=tuple(rule for name, rule in new.items() if name not in old),
        removed=tuple(rule for name, rule in old.items() if name not in new),
        changed=tuple((old[n], new[n]) for n in kept if old[n] != new[n]),
        reordered=kept != [name for name in new if name in old],
    )


def replace_rules(
    connection: Connection,
    rules: Sequence[Rule],
    revision: int,
    principal: Principal,
    comment: str = "",
    restored: int | None = None,
) -> Revision:
    """Put a whole list in force, with an audit event that holds old and new values.

    Parameters
    ----------
    revision : int
        The one that the caller has seen.

    Raises
    ------
    Conflict
        Another revision is in force: someone else changed the rules meanwhile.
    """
    before = current_rules(connection)
    made = Revision(revision + 1, tuple(rules), now(), principal.name, comment, restored)
    row = {
        "revision": made.number,
        "changed_at": made.at,
        "changed_by": made.by,
        "comment": comment,
        "restored": restored,
    }
    if before.number != revision or not insert_ignore(connection, site_revisions, row):
        found = current_rules(connection).number
        raise Conflict(
            f"The rules are at revision {found}, not {revision}: someone changed them meanwhile. "
            "Read them again, then repeat your change."
        )
    rows = [
        {"revision": made.number, "position": position, **_row(rule)}
        for position, rule in enumerate(rules, 1)
    ]
    if rows:
        connection.execute(insert(site_rules), rows)
    detail: Mapping[str, Any] = {
        "revision": made.number,
        "restored": restored,
        **difference(before, made).as_json(),
    }
    action = "rules.changed" if restored is None else "rules.undone"
    record(connection, principal, action, detail=detail)
    return made


def undo(
    connection: Connection, revision: int, principal: Principal, to: int | None = None
) -> Revision:
    """Bring back an earlier list as a new revision; undoing again goes further back.

    Parameters
    ----------
    to : int or None
        The revision to bring back; None takes the one before the last change.

    Raises
    ------
    Conflict
        Another revision is in force, or there is nothing before.
    NotFound
        No such revision.
    """
    current = current_rules(connection)
    if to is None:
        to = (current.number if current.restored is None else current.restored) - 1
    if to < 0 or current.number == 0:
        raise Conflict("There is no earlier list of rules; nothing was undone.")
    wanted = read_revision(connection, to)
    return replace_rules(connection, wanted.rules, revision, principal, restored=to)


def _row(rule: Rule) -> dict[str, Any]:
    document = rule.as_json()
    return {name: document[name] for name in ("name", "enabled", "note", "condition", "action")}


def _revision(head: Row[Any], rows: Sequence[Row[Any]]) -> Revision:
    rules = tuple(
        Rule.model_validate(
            {
                "name": row.name,
                "enabled": row.enabled,
                "note": row.note,
                "condition": row.condition,
                "action": row.action,
            }
        )
        for row in rows
    )
    return Revision(
        head.revision, rules, head.changed_at, head.changed_by, head.comment, head.restored
    )
