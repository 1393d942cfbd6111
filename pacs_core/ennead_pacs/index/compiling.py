"""SQLAlchemy Core statements as the driver's own SQL, with named parameters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import ClauseElement


def driver_sql(statement: ClauseElement, *, is_sqlite: bool) -> str:
    """The statement's text for ``sqlite3`` or ``psycopg``."""
    dialect: Any = (
        SQLiteDialect_pysqlite(paramstyle="named")
        if is_sqlite
        else PGDialect_psycopg(paramstyle="pyformat")
    )
    return str(statement.compile(dialect=dialect))


def insert_all(table: Table, is_sqlite: bool) -> str:
    """Insert every column but ``id``; a row whose key exists is left alone."""
    make: Any = sqlite.insert if is_sqlite else postgresql.insert
    names = [c.name for c in table.columns if c.name != "id"]
    statement = make(table).values(**{name: bindparam(name) for name in names})
    if not is_sqlite:
        statement = statement.inline()
    return driver_sql(statement.on_conflict_do_nothing(), is_sqlite=is_sqlite)
