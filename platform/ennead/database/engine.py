"""Opening the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url


class Database:
    """A pool of connections to the one database.

    Examples
    --------
    >>> database = Database("sqlite://")
    >>> with database.begin() as connection:
    ...     connection.exec_driver_sql("select 1").scalar_one()
    1
    >>> database.close()
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": pool_size}
        # hide_parameters: values of a failed statement may identify a patient.
        self.engine: Engine = create_engine(
            parsed, pool_pre_ping=not self.is_sqlite, hide_parameters=True, **options
        )
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that may write: committed at the end, rolled back on error."""
        with self.engine.connect().execution_options(ennead_write=True) as connection:
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Return every connection."""
        self.engine.dispose()


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event below decides
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout = 30000",
        "journal_mode = WAL",
        "synchronous = FULL",  # a commit survives a power cut
        "foreign_keys = ON",
        "cache_size = -65536",
        "temp_store = MEMORY",
        "mmap_size = 268435456",
    ):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read transaction can fail without waiting.
    write = connection.get_execution_options().get("ennead_write", False)
    connection.exec_driver_sql("begin immediate" if write else "begin")


def insert_ignore(
    connection: Connection, table: Table, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> int:
    """Insert; rows whose key exists are left alone. Returns how many were inserted."""
    statement = _insert(connection, table).on_conflict_do_nothing()
    # Without the option SQLAlchemy gives -1 for an INSERT on PostgreSQL.
    result = connection.execute(statement.execution_options(preserve_rowcount=True), rows)
    return result.rowcount


def upsert(
    connection: Connection, table: Table, row: Mapping[str, Any], keys: Sequence[str]
) -> None:
    """Insert, or update every other column of the row with the same ``keys``."""
    statement = _insert(connection, table).values(**row)
    changed = {name: statement.excluded[name] for name in row if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
