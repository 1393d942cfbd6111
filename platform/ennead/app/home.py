"""What an embedded instance needs before anything starts: home, lock, ports, first account."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ennead.database import Database
from ennead.errors import ConfigurationError
from ennead.security import SYSTEM, users
from ennead.security.passwords import random_password
from ennead.security.principal import Role
from ennead.settings import Settings

#: Environment variable that tells processes of this home from all others.
HOME_MARK: Final = "ENNEAD_SUPERVISED_HOME"


def make_home(settings: Settings) -> None:
    """Create the home, readable by its owner alone, and its ``run``.

    Raises
    ------
    ConfigurationError
        The directory cannot be made or written.
    """
    run = settings.home / "run"
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (run / "metrics").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The home {settings.home} cannot be used: {error.strerror}. Choose another with "
            "--home, or mend its permissions."
        ) from error


def clear_metrics(settings: Settings) -> None:
    """Forget what processes of an earlier start counted; only while holding the lock."""
    for file in (settings.home / "run" / "metrics").glob("*.db"):
        file.unlink(missing_ok=True)


@contextmanager
def only_supervisor(settings: Settings) -> Iterator[None]:
    """Hold the home's lock; released by the kernel however the process ends.

    Raises
    ------
    ConfigurationError
        Another supervisor serves this home; its process id is named.
    """
    path = settings.home / "run" / "supervisor.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise ConfigurationError(
                f"The home {settings.home} is served already by process {lock.read().strip()}. "
                "Stop that one, or choose another --home."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def end_leftovers(settings: Settings) -> int:
    """Kill processes that an earlier, killed supervisor of this home left behind.

    Its own processes die with it; what those started (Ray's agents) may take a minute to notice.
    Call it while holding the lock: then every marked process is a leftover. Returns how many.
    """
    mark = f"{HOME_MARK}={settings.home}".encode()
    ended = 0
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)
                ended += 1
        except (OSError, ValueError):  # another user's, or gone already
            continue
    return ended


def listen_http(settings: Settings) -> socket.socket:
    """The listening socket of the web processes; it stays open while they restart.

    Raises
    ------
    ConfigurationError
        The port is taken or not allowed.
    """
    return _bind(settings.http.host, settings.http.port, "http.port", "--http-port", 2048)


def check_dicom_port(settings: Settings) -> int:
    """The DICOM port, free at this moment; port 0 becomes one that is.

    Raises
    ------
    ConfigurationError
        As :func:`listen_http`.
    """
    with _bind(settings.http.host, settings.dicom.port, "dicom.port", "--dicom-port", 0) as probe:
        port: int = probe.getsockname()[1]
        return port


def _bind(host: str, port: int, setting: str, option: str, backlog: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(backlog)
    except OSError as error:
        bound.close()
        why = "is taken by another program" if error.errno == errno.EADDRINUSE else error.strerror
        raise ConfigurationError(
            f"Port {port} on {host} {why}. Choose another with {option} or the setting {setting}, "
            "or stop the program that holds it."
        ) from error
    return bound


def first_administrator(settings: Settings, database: Database, password: str) -> str:
    """Make the account ``admin`` when there is no user at all; returns its password, else "".

    Parameters
    ----------
    password : str
        "" for a random one.
    """
    with database.begin() as connection:
        if users.every(connection):
            return ""
        password = password or random_password()
        users.add(
            connection,
            settings,
            SYSTEM,
            name="admin",
            display_name="Administrator",
            roles=[Role.ADMIN],
            password=password,
        )
    return password
