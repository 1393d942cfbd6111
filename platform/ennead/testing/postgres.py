"""A PostgreSQL server for tests, started once per test run in a temporary directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from ennead.errors import ServiceError
from ennead.testing.ports import free_port

#: Where Debian and most packages put the server's programs.
PROGRAMS = Path("/usr/lib/postgresql/15/bin")


def is_available() -> bool:
    """Whether PostgreSQL 15 is installed (``apt install postgresql-15``)."""
    return (PROGRAMS / "initdb").exists()


class PostgresServer:
    """One cluster on a free loopback port, without durability (it is thrown away).

    The server refuses to run as root, so root runs it as user ``postgres``.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ennead-pg-"))
        self._prefix = ["/usr/sbin/runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._prefix:
            shutil.chown(self._folder, "postgres")
        self.port = free_port()
        self._databases = 0
        data = self._folder / "data"
        self._run("initdb", "-D", data, "-U", "ennead", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1"
            f" -c unix_socket_directories={self._folder}"
            " -c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB"
        )
        self._run("pg_ctl", "-D", data, "-w", "-l", self._folder / "log", "-o", options, "start")

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._prefix, str(PROGRAMS / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, timeout=90, check=False
        )
        if done.returncode:
            raise ServiceError(f"{program} failed: {done.stdout[-800:]} {done.stderr[-800:]}")

    def create_database(self) -> str:
        """A new empty database; returns its SQLAlchemy URL."""
        import psycopg

        self._databases += 1
        name = f"test_{self._databases}_{time.time_ns()}"
        address = f"host=127.0.0.1 port={self.port} user=ennead"
        with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return f"postgresql+psycopg://ennead@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """Stop the server and delete its files."""
        try:
            self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
