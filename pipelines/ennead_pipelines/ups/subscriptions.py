"""Who wants to hear of which workitem (PS3.18 §11.10-11.12, PS3.4 §CC.2.3)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select, update

from ennead import events
from ennead.database import upsert
from ennead.errors import Conflict, InputError, NotFound, NotPermitted
from ennead.security import Principal
from ennead.security.audit import record
from ennead_pipelines.jobs.states import now
from ennead_pipelines.lanes import Sight
from ennead_pipelines.ups.identity import FILTERED, GLOBAL
from ennead_pipelines.ups.tables import subscriptions
from ennead_pipelines.ups.workitem import find_workitem

_AE: Final = re.compile(r"[ -\[\]-~]{1,16}")


def check_ae_title(value: str) -> str:
    """An AE title: up to 16 characters, no backslash, not blank (PS3.5 §6.2).

    Raises
    ------
    InputError
    """
    if not _AE.fullmatch(value) or not value.strip():
        raise InputError(f"{value[:20]!r} is no AE title: 1 to 16 characters, no backslash.")
    return value.strip()


def subscribe(
    connection: Connection,
    uid: str,
    ae_title: str,
    principal: Principal,
    sight: Sight,
    *,
    deletion_lock: bool,
) -> None:
    """Subscribe to one workitem, or with the global UID to all that are and will be.

    Raises
    ------
    NotFound, Conflict
        No such workitem; the filtered global subscription, which is not offered.
    NotPermitted
        Somebody else uses this AE title.
    """
    _require_known(connection, uid, sight)
    _require_own(connection, ae_title, principal)
    if uid == GLOBAL:  # replaces what was subscribed to one by one
        _forget(connection, ae_title)
    row = {
        "ae_title": ae_title,
        "uid": uid,
        "subscribed": True,
        "deletion_lock": deletion_lock,
        "suspended_at": None,
        "principal": principal.name[:64],
        "created_at": now(),
    }
    upsert(connection, subscriptions, row, keys=["ae_title", "uid"])
    payload = {"uid": uid, "ae_title": ae_title}
    events.publish(connection, events.SUBSCRIBED, payload=payload)
    record(connection, principal, "workitem.subscribed", detail=payload)


def unsubscribe(
    connection: Connection, uid: str, ae_title: str, principal: Principal, sight: Sight
) -> None:
    """End a subscription; the global one takes all others of this AE title with it.

    Raises
    ------
    NotFound, Conflict, NotPermitted
    """
    _require_known(connection, uid, sight)
    _require_own(connection, ae_title, principal)
    if uid == GLOBAL:
        _forget(connection, ae_title)
    elif any(row.uid == GLOBAL for row in of_ae_title(connection, ae_title)):
        row = {
            "ae_title": ae_title,
            "uid": uid,
            "subscribed": False,
            "deletion_lock": False,
            "suspended_at": None,
            "principal": principal.name[:64],
            "created_at": now(),
        }
        upsert(connection, subscriptions, row, keys=["ae_title", "uid"])
    else:
        connection.execute(
            delete(subscriptions).where(
                subscriptions.c.ae_title == ae_title, subscriptions.c.uid == uid
            )
        )
    detail = {"uid": uid, "ae_title": ae_title}
    record(connection, principal, "workitem.unsubscribed", detail=detail)


def suspend(connection: Connection, uid: str, ae_title: str, principal: Principal) -> None:
    """Stop subscribing to new workitems; those that are subscribed to stay so.

    Raises
    ------
    NotFound
        There is no global subscription of this AE title.
    NotPermitted
    """
    if uid != GLOBAL:
        raise Conflict("Only the global subscription can be suspended; end the others instead.")
    _require_own(connection, ae_title, principal)
    changed = connection.execute(
        update(subscriptions)
        .where(subscriptions.c.ae_title == ae_title, subscriptions.c.uid == GLOBAL)
        .values(suspended_at=now())
    ).rowcount
    if not changed:
        raise NotFound(f"{ae_title} has no global subscription.")
    record(connection, principal, "workitem.suspended", detail={"ae_title": ae_title})


def of_ae_title(connection: Connection, ae_title: str) -> Sequence[Row[Any]]:
    """The subscriptions of an AE title."""
    return connection.execute(
        select(subscriptions).where(subscriptions.c.ae_title == ae_title)
    ).all()


def wants(rows: Sequence[Row[Any]], uids: Sequence[str], created_at: dt.datetime) -> str | None:
    """The UID under which a workitem is subscribed to, if it is.

    Parameters
    ----------
    uids : sequence of str
        All UIDs of the workitem.
    created_at : datetime
        Of its job: a suspended global subscription covers what was there before.
    """
    said = {row.uid: row.subscribed for row in rows}
    for uid in uids:
        if uid in said:
            return uid if said[uid] else None
    for row in rows:
        if row.uid == GLOBAL and (row.suspended_at is None or created_at < row.suspended_at):
            return uids[-1] if uids else None
    return None


def require_channel(connection: Connection, ae_title: str, principal: Principal) -> None:
    """Whether ``principal`` may open the event channel of this AE title.

    Raises
    ------
    NotPermitted
    """
    _require_own(connection, ae_title, principal)


def _forget(connection: Connection, ae_title: str) -> None:
    connection.execute(delete(subscriptions).where(subscriptions.c.ae_title == ae_title))


def _require_own(connection: Connection, ae_title: str, principal: Principal) -> None:
    taken = {row.principal for row in of_ae_title(connection, ae_title)}
    if taken - {principal.name[:64]}:
        raise NotPermitted(f"The subscriptions of {ae_title} belong to somebody else.")


def _require_known(connection: Connection, uid: str, sight: Sight) -> None:
    if uid == FILTERED:
        raise Conflict(
            "Filtered global subscriptions are not offered; subscribe globally, or to workitems.",
            warning="Filtered Global Subscription is not supported.",
        )
    if uid != GLOBAL:
        find_workitem(connection, uid, sight)
