"""The demonstration's home: its mark, its accounts, its log."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from ennead.errors import ConfigurationError
from ennead.security import SYSTEM, users
from ennead.security.passwords import random_password
from ennead.security.principal import Role
from ennead.security.tables import users as user_table
from ennead.settings import Settings

#: Login name → (name as written into documents, role). Invented people.
PEOPLE: Final = {
    "bs.nguyen": ("BS. Nguyễn Minh Mẫu", Role.RADIOLOGIST),
    "ktv.tran": ("KTV. Trần Quang Mẫu", Role.TECHNOLOGIST),
    "bs.le": ("BS. Lê Thu Mẫu", Role.CLINICIAN),
}


@dataclass(slots=True)
class DemoHome:
    """What is kept in ``demo.json``: it marks the home, and makes a second run the same."""

    path: Path
    study_date: str
    passwords: dict[str, str] = field(default_factory=dict)

    def save(self) -> None:
        """Write it, readable by the owner alone."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({k: v for k, v in asdict(self).items() if k != "path"}, file, indent=1)


def open_demo_home(settings: Settings) -> DemoHome:
    """Read or make the mark.

    Raises
    ------
    ConfigurationError
        The home holds an instance that is no demonstration: its accounts are left alone.
    """
    path = settings.home / "demo.json"
    if path.exists():
        return DemoHome(path, **json.loads(path.read_text(encoding="utf-8")))
    if (settings.home / "run").exists() or (settings.home / "ennead.sqlite3").exists():
        raise ConfigurationError(
            f"{settings.home} holds an instance that is not a demonstration. Choose another "
            "--home, or bring studies into this one with ennead import."
        )
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = DemoHome(path, f"{dt.date.today():%Y%m%d}")
    made.passwords = {name: random_password() for name in ("admin", *PEOPLE)}
    made.save()
    return made


def make_people(connection: Connection, settings: Settings, known: DemoHome) -> None:
    """The demonstration's accounts, where they are not there yet."""
    present = set(connection.execute(select(user_table.c.name)).scalars())
    for name, (display_name, role) in PEOPLE.items():
        if name not in present:
            users.add(
                connection,
                settings,
                SYSTEM,
                name=name,
                display_name=display_name,
                roles=[role],
                password=known.passwords[name],
            )


@contextmanager
def logs_to_file(settings: Settings) -> Iterator[Path]:
    """Standard error of this process and its children goes to ``run/demo.log``."""
    path = settings.home / "run" / "demo.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    terminal = os.dup(2)
    with path.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield path
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
