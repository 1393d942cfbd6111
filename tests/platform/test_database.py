"""Inserting what may be there already says how much was new, on both engines."""

import datetime as dt

from sqlalchemy import Column, Integer, MetaData, String, Table, select

from ennead.database import Database, UTCDateTime, insert_ignore, upsert

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("at", UTCDateTime),
)


def test_insert_ignore_counts_new_rows_only(database: Database) -> None:
    metadata.create_all(database.engine)
    with database.begin() as connection:
        assert insert_ignore(connection, things, {"name": "a", "number": 1}) == 1
        assert insert_ignore(connection, things, {"name": "a", "number": 2}) == 0
        rows = [{"name": name, "number": 3} for name in "abc"]
        assert insert_ignore(connection, things, rows) == 2
        found = connection.execute(select(things.c.name, things.c.number)).all()
    assert sorted(map(tuple, found)) == [("a", 1), ("b", 3), ("c", 3)]


def test_upsert_replaces_and_times_come_back_aware(database: Database) -> None:
    metadata.create_all(database.engine)
    at = dt.datetime(2026, 11, 25, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=7)))
    with database.begin() as connection:
        for number in (1, 2):
            upsert(connection, things, {"name": "a", "number": number, "at": at}, keys=["name"])
        (row,) = connection.execute(select(things)).all()
    assert (row.number, row.at, row.at.utcoffset()) == (2, at, dt.timedelta(0))
