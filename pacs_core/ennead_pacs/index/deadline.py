"""A limit on how long the index may think about one statement."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text


@contextmanager
def deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """Statements inside fail (``SQLAlchemyError``) once ``seconds`` have passed.

    PostgreSQL is told by ``statement_timeout`` for the rest of the transaction; SQLite is
    interrupted by a timer.
    """
    if connection.dialect.name == "postgresql":
        milliseconds = max(1, int(seconds * 1000))
        connection.execute(text(f"set local statement_timeout = {milliseconds}"))
        yield
        return
    driver = connection.connection.driver_connection
    timer = threading.Timer(seconds, lambda: driver.interrupt() if driver else None)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
