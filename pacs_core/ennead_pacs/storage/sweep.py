"""The startup sweep: what a crash left behind, put right before anyone may connect.

A slot that no row names was never acknowledged, so it is removed; the sender has it still. A row
whose file is gone or has another size is marked lost and no longer served. Running it again
changes nothing. PostgreSQL nodes that share a file system may sweep while others receive: the
journals of living processes are locked.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from ennead.database import Database
from ennead.security import SYSTEM, audit
from ennead.settings import Settings
from ennead_pacs.index.tables import LOST, STORED, instances
from ennead_pacs.storage.header import SOP_INSTANCE
from ennead_pacs.storage.part10 import read_meta
from ennead_pacs.storage.scan import DatasetScanner
from ennead_pacs.storage.slots import abandoned
from ennead_pacs.storage.transfer_syntaxes import transfer_syntax

_LOCATION = re.compile(r"[0-9a-f]{3}/[0-9a-f]{32}\.dcm")
_PAGE = 5000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    removed: int
    kept: int
    lost: int
    checked: int
    seconds: float


def sweep(settings: Settings, database: Database) -> Swept:
    """Decide every abandoned slot and check every row's file."""
    started = time.monotonic()
    root = settings.objects_dir
    removed = kept = 0
    for _journal, locations in abandoned(root):
        for location in locations:
            if not _LOCATION.fullmatch(location) or not (root / location).exists():
                continue
            if _is_indexed(database, root, location):
                kept += 1
            else:
                with contextlib.suppress(FileNotFoundError):
                    (root / location).unlink()
                removed += 1
    checked, lost = _check_rows(database, root)
    swept = Swept(removed, kept, lost, checked, round(time.monotonic() - started, 3))
    if removed or lost:
        with database.begin() as connection:
            audit.record(
                connection,
                SYSTEM,
                "storage.swept",
                outcome="failure" if lost else "success",
                detail={"removed": removed, "kept": kept, "lost": lost, "checked": checked},
            )
    _log.info("storage swept: %s", swept)
    return swept


def _is_indexed(database: Database, root: Path, location: str) -> bool:
    uid = _instance_uid(root / location)
    if not uid:
        return False
    with database.read() as connection:
        found = connection.execute(
            select(instances.c.location).where(instances.c.instance_uid == uid)
        ).scalar_one_or_none()
    return found == location


def _instance_uid(path: Path) -> str:
    """SOP Instance UID of a slot file; empty when it never was a whole object."""
    try:
        with path.open("rb") as file:
            head = file.read(256 * 1024)
        found = read_meta(head)
        if found is None:
            return ""
        scanner = DatasetScanner(transfer_syntax(found[0]), {SOP_INSTANCE}, 32)
        scanner.feed(memoryview(head)[found[1] :])
    except (OSError, ValueError):
        return ""
    return scanner.values.get(SOP_INSTANCE, b"").strip(b" \0").decode("ascii", "replace")


def _check_rows(database: Database, root: Path) -> tuple[int, int]:
    checked = lost = last = 0
    columns = (instances.c.id, instances.c.location, instances.c.size_bytes)
    while True:
        with database.read() as connection:
            rows = connection.execute(
                select(*columns)
                .where(instances.c.id > last, instances.c.state == STORED)
                .order_by(instances.c.id)
                .limit(_PAGE)
            ).all()
        if not rows:
            return checked, lost
        missing = [row.id for row in rows if not _is_there(root, row.location, row.size_bytes)]
        if missing:
            with database.begin() as connection:
                _mark_lost(connection, missing)
        checked += len(rows)
        lost += len(missing)
        last = rows[-1].id


def _is_there(root: Path, location: str, size: int) -> bool:
    try:
        return os.stat(root / location).st_size == size
    except OSError:
        return False


def _mark_lost(connection: Connection, keys: list[Any]) -> None:
    connection.execute(update(instances).where(instances.c.id.in_(keys)).values(state=LOST))
    uids = connection.execute(
        select(instances.c.instance_uid).where(instances.c.id.in_(keys))
    ).scalars()
    for uid in uids:
        audit.record(connection, SYSTEM, "object.lost", object_uid=uid, outcome="failure")
