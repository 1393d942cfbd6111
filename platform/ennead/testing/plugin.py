"""Fixtures for every test of Ennead and of third-party packages (a pytest11 plugin).

``--database sqlite|postgresql`` chooses the engine behind ``database_url``, ``database`` and
``settings``. Imports are inside the fixtures, so that installing Ennead does not slow other
projects' tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ennead.database import Database
    from ennead.settings import Settings
    from ennead.testing.instance import Instance
    from ennead.testing.postgres import PostgresServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--database``."""
    parser.getgroup("ennead").addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="database engine of the tests (default: sqlite)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that the fixtures set."""
    config.addinivalue_line("markers", "database: runs on the engine that --database names")
    config.addinivalue_line("markers", "instance: starts a whole server as a subprocess")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests by the fixtures they use, so that ``-m database`` selects them."""
    names = getattr(item, "fixturenames", ())
    if "database_url" in names:
        item.add_marker("database")
    if "running_instance" in names:
        item.add_marker("instance")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL 15 server for this run; skips when it is not installed."""
    from ennead.testing import postgres

    if not postgres.is_available():
        pytest.skip(f"PostgreSQL 15 is not in {postgres.PROGRAMS}: apt install postgresql-15")
    server = postgres.PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh, empty database of the engine under test."""
    if request.config.getoption("--database") == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'ennead.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.create_database()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings with a temporary home and the database under test, not yet migrated."""
    from ennead.settings import Settings

    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return Settings.load(home, database={"url": database_url})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh, migrated database."""
    from ennead.database import Database
    from ennead.database.migrate import upgrade

    upgrade(settings)
    opened = Database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real images (``ENNEAD_TEST_DATA`` or ``../shared/data``); skips when absent."""
    named = os.environ.get("ENNEAD_TEST_DATA")
    folder = Path(named) if named else Path.cwd() / ".." / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images in {folder}; set ENNEAD_TEST_DATA")
    return folder.resolve()


@pytest.fixture
def running_instance(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str
) -> Iterator[Callable[..., Instance]]:
    """Start ``ennead serve`` on free ports; every started server is stopped at the end.

    Call it: ``instance = running_instance(**settings)``; keyword arguments become environment
    settings (``pipelines__quiet_s=1``), ``arguments`` goes to the command line.
    """
    from ennead.testing.instance import Instance

    started: list[Instance] = []

    def start(
        home: Path | None = None, arguments: Sequence[str] = (), **values: object
    ) -> Instance:
        if request.config.getoption("--database") == "postgresql":
            values.setdefault("database__url", database_url)
        instance = Instance(home or tmp_path / f"instance-{len(started)}", values, arguments)
        started.append(instance)
        instance.start()
        return instance

    yield start
    for instance in started:
        instance.close()
