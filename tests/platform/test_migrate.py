"""The schema of a fresh database, on either engine."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from ennead import events
from ennead.database import Database, migrate
from ennead.errors import ConfigurationError
from ennead.settings import Settings


def test_fresh_database_is_behind_and_then_current(settings: Settings) -> None:
    before = {s.label: s for s in migrate.check(settings)}
    assert not before["ennead"].is_current
    after = {s.label: s for s in migrate.upgrade(settings)}
    assert after["ennead"].is_current
    assert after["ennead"].current == after["ennead"].head != ""
    assert next(s.label for s in migrate.check(settings)) == "ennead"


def test_upgrade_is_idempotent(settings: Settings) -> None:
    assert migrate.upgrade(settings) == migrate.upgrade(settings)


def test_migrated_tables_have_the_declared_columns(database: Database) -> None:
    from ennead.app.parts import parts
    from ennead.security.tables import metadata

    tables = [*events.metadata.tables.values(), *metadata.tables.values(), parts]
    inspector = inspect(database.engine)
    for table in tables:
        found = {c["name"]: c for c in inspector.get_columns(table.name)}
        assert set(found) == {c.name for c in table.columns}, table.name
        nullable = {name for name, column in found.items() if column["nullable"]}
        assert nullable == {c.name for c in table.columns if c.nullable}, table.name
        key = inspector.get_pk_constraint(table.name)["constrained_columns"]
        assert set(key) == {c.name for c in table.primary_key}, table.name


def test_outbox_works_on_the_migrated_schema(database: Database) -> None:
    with database.begin() as connection:
        events.publish(connection, events.STUDY_CHANGED, study_uid="1.2.3", payload={"series": []})
    with database.begin() as connection:
        (event,) = events.pending(connection, "test")
        assert (event.kind, event.study_uid, event.payload) == (
            "study.changed",
            "1.2.3",
            {"series": []},
        )
        events.acknowledge(connection, "test", event)
        assert events.pending(connection, "test") == []


def test_two_starts_at_once_do_not_race(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrate.upgrade(settings), range(4)))
    assert all(state.is_current for states in results for state in states)


def test_a_newer_database_is_refused(database: Database, settings: Settings) -> None:
    with database.begin() as connection:
        connection.execute(text("insert into alembic_version values ('ennead_9999')"))
    with pytest.raises(ConfigurationError, match="ennead_9999"):
        migrate.upgrade(settings)


def test_a_missing_owner_is_reported_and_skipped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [*migrate.entry_points(group=migrate.GROUP), _Entry("ennead_gone", "ennead_gone.m")]
    monkeypatch.setattr(migrate, "entry_points", lambda group: entries)
    states = {s.label: s for s in migrate.upgrade(settings)}
    assert "ennead_gone" in states["gone"].error
    assert states["ennead"].is_current


def test_finding_owners_imports_nothing_of_theirs(tmp_path: Path) -> None:
    code = (
        "import sys; from ennead.database.migrate import owners; assert owners(); "
        "assert not [m for m in sys.modules if m.startswith(('ennead_', 'ray', 'alembic'))]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


class _Entry:
    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value
