"""A second place for the audit chain's head: a file in the home, appended to, never rewritten.

Rows cut off the end of the table are found by comparing with it. Copy the file to another machine
to keep it from whoever may change both.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ennead.database import Database
from ennead.security import audit
from ennead.security.audit import Head
from ennead.settings import Settings

#: How often the supervisor writes the head.
EXPORT_EVERY = dt.timedelta(hours=1)


def path(settings: Settings) -> Path:
    """The file: one line each of time, row id and hash."""
    return settings.home / "audit-heads.txt"


def export(settings: Settings, database: Database) -> Head:
    """Append the present head, unless it is the last one written."""
    with database.read() as connection:
        head = audit.head(connection)
    written = read(settings)
    if head.id and (not written or written[-1] != head):
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        with path(settings).open("a", encoding="ascii") as file:
            file.write(f"{now} {head.id} {head.hash}\n")
    return head


def read(settings: Settings) -> list[Head]:
    """Every head written so far; lines of another form (a torn write) are left out."""
    if not path(settings).exists():
        return []
    heads = []
    for line in path(settings).read_text(encoding="ascii", errors="replace").splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1].isdigit():
            heads.append(Head(int(fields[1]), fields[2]))
    return heads
