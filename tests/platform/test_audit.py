"""The audit chain finds every change, and stays whole under concurrent writers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, delete, select, update

from ennead.database import Database
from ennead.errors import AuditUnavailable
from ennead.security import SYSTEM, audit, heads
from ennead.security.audit import Head
from ennead.security.principal import Principal
from ennead.security.tables import audit as table
from ennead.settings import Settings

READER = Principal("bs.nguyen", "Nguyễn Văn A", frozenset(), address="127.0.0.1")


@pytest.fixture
def chain(database: Database) -> Database:
    for number in range(1, 8):
        with database.begin() as connection:
            audit.record(connection, READER, "study.opened", detail={"number": number})
    return database


@contextmanager
def _tampered(database: Database) -> Iterator[Connection]:
    with database.begin() as connection:
        yield connection


def _problems(database: Database, *known: Head) -> list[tuple[int, str]]:
    with database.read() as connection:
        return [(p.id, p.kind) for p in audit.verify(connection, known).problems]


def test_an_untouched_chain_is_intact(chain: Database) -> None:
    with chain.read() as connection:
        result = audit.verify(connection)
        assert (result.intact, result.rows, result.head.id) == (True, 7, 7)
        assert result.head == audit.head(connection)


def test_the_hash_is_what_the_page_says(database: Database) -> None:
    """Recomputed here from the stored columns with nothing of the product's code."""
    with database.begin() as connection:
        audit.record(
            connection, SYSTEM, "package.enabled", study_uid="1.2", detail={"b": 1, "a": "ă"}
        )
        audit.record(connection, READER, "login", purpose="đọc phim")
    with database.read() as connection:
        rows = connection.execute(select(table).order_by(table.c.id)).all()
    previous = "0" * 64
    for row in rows:
        fields = [
            previous,
            row.at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
            row.principal,
            row.kind,
            row.address,
            row.action,
            row.study_uid,
            row.object_uid,
            row.outcome,
            row.purpose,
            row.detail,
        ]
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert row.hash == previous
    assert json.loads(rows[0].detail) == {"a": "ă", "b": 1}


@pytest.mark.parametrize(
    "column", ["principal", "action", "study_uid", "outcome", "detail", "address", "purpose"]
)
def test_a_changed_row_is_named(chain: Database, column: str) -> None:
    with _tampered(chain) as connection:
        connection.execute(update(table).where(table.c.id == 4).values({column: "x"}))
    assert _problems(chain) == [(4, "changed")]


def test_a_changed_row_with_a_recomputed_hash_breaks_the_next_link(chain: Database) -> None:
    with _tampered(chain) as connection:
        row = audit.page(connection, before=5, limit=1)[0]
        forged = audit.Entry(**{**_fields(row), "action": "nothing"})
        connection.execute(
            update(table).where(table.c.id == 4).values(action="nothing", hash=forged.seal())
        )
    assert _problems(chain) == [(5, "removed")]


@pytest.mark.parametrize("gone", [1, 4])
def test_a_removed_row_is_named(chain: Database, gone: int) -> None:
    with _tampered(chain) as connection:
        connection.execute(delete(table).where(table.c.id == gone))
    assert _problems(chain) == [(gone, "removed")]


def test_a_removed_row_with_closed_gap_is_found(chain: Database) -> None:
    with _tampered(chain) as connection:
        connection.execute(delete(table).where(table.c.id == 4))
        for number in (5, 6, 7):
            connection.execute(update(table).where(table.c.id == number).values(id=number - 1))
    assert _problems(chain) == [(4, "removed")]


def test_reordered_rows_are_named(chain: Database) -> None:
    with _tampered(chain) as connection:
        for old, new in ((4, 99), (5, 4), (99, 5)):
            connection.execute(update(table).where(table.c.id == old).values(id=new))
    assert _problems(chain) == [(4, "reordered"), (5, "reordered"), (6, "reordered")]


def test_rows_cut_off_the_end_are_found_by_the_head_written_elsewhere(
    chain: Database, settings: Settings
) -> None:
    heads.export(settings, chain)
    heads.export(settings, chain)
    assert len(heads.read(settings)) == 1
    with _tampered(chain) as connection:
        connection.execute(delete(table).where(table.c.id > 5))
    assert _problems(chain) == []
    assert _problems(chain, *heads.read(settings)) == [(7, "removed")]


def test_a_chain_written_anew_differs_from_the_head_written_elsewhere(
    chain: Database, settings: Settings
) -> None:
    heads.export(settings, chain)
    with _tampered(chain) as connection:
        connection.execute(delete(table))
        for _ in range(7):
            audit.record(connection, READER, "study.opened")
    assert _problems(chain, *heads.read(settings)) == [(7, "changed")]


def test_concurrent_writers_make_one_chain(database: Database) -> None:
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(25):
                with database.begin() as connection:
                    audit.record(
                        connection, Principal(name, name, frozenset()), "test", detail={"n": number}
                    )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"writer-{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as connection:
        result = audit.verify(connection)
    assert (result.rows, result.head.id, result.problems) == (150, 150, ())


def test_a_rolled_back_transaction_leaves_no_row(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as connection:
        audit.record(connection, READER, "study.opened")
        raise RuntimeError
    with database.read() as connection:
        assert audit.count(connection) == 0


def test_hostile_text_is_stored_and_verifies(database: Database) -> None:
    name = "a\x00b\ud800\n" + "x" * 200
    with database.begin() as connection:
        audit.record(
            connection, Principal(name, "", frozenset()), "login.failed", detail={"\x00": 1}
        )
    with database.read() as connection:
        (entry,) = audit.page(connection)
        assert len(entry.principal) == 64
        assert audit.verify(connection).intact


def test_paging_and_filters(chain: Database) -> None:
    with chain.begin() as connection:
        audit.record(connection, READER, "login.failed", outcome="failure")
    with chain.read() as connection:
        assert [e.id for e in audit.page(connection, limit=3)] == [8, 7, 6]
        assert [e.id for e in audit.page(connection, before=3)] == [2, 1]
        assert [e.id for e in audit.page(connection, action="login")] == [8]
        assert audit.page(connection, action="log") == []


def test_a_change_is_refused_when_the_chain_cannot_be_written(database: Database) -> None:
    with pytest.raises(AuditUnavailable), database.begin() as connection:
        connection.exec_driver_sql("drop table audit")
        audit.record(connection, READER, "study.opened")


def _fields(entry: audit.Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in entry.__slots__}
