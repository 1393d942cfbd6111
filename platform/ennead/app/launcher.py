"""The supervisor behind ``ennead serve`` and ``ennead worker``.

Makes the home, migrates, lets services start up, starts every process, restarts what ends, and
drains on SIGTERM or SIGINT (a second one ends everything at once). When the supervisor itself is
killed, the kernel kills its processes.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType
from typing import Final

import structlog

from ennead.app import home, services
from ennead.app.parts import Part, PartState
from ennead.app.process import SupervisedProcess
from ennead.app.reporter import Reporter
from ennead.app.services import FoundService
from ennead.contracts import ProcessSpec
from ennead.database import Database, migrate
from ennead.security import SYSTEM, audit
from ennead.settings import Settings

_TICK_S: Final = 0.1
_WEB: Final = "ennead.app.web_process:serve"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """What an instance can say of itself once every process was started."""

    settings: Settings
    admin_password: str

    @property
    def base_url(self) -> str:
        """Address of the portal as seen from this machine."""
        host = self.settings.http.host
        host = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.http.port}"


class Supervisor:
    """Runs one node.

    Parameters
    ----------
    web : bool
        False for ``ennead worker``: the services' processes only.
    only : collection of str
        Names of the processes to run; empty for all.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        web: bool = True,
        only: Collection[str] = (),
        admin_password: str = "",
    ) -> None:
        self._settings = settings
        self._web = web and (not only or "web" in only)
        self._only = frozenset(only)
        self._admin_password = admin_password
        self._processes: list[SupervisedProcess] = []
        self._broken: list[FoundService] = []
        self._signals = 0
        self._began = dt.datetime.now(dt.UTC)

    def run(
        self,
        on_started: Callable[[Started], None] = lambda _: None,
        on_ready: Callable[[Started], None] = lambda _: None,
    ) -> None:
        """Supervise until told to stop; call it from the main thread.

        Raises
        ------
        ConfigurationError
            Home, lock, schema or port; nothing was started then.
        """
        home.make_home(self._settings)
        with ExitStack() as stack:
            stack.enter_context(home.only_supervisor(self._settings))
            if ended := home.end_leftovers(self._settings):
                log.warning("ended leftovers of a killed supervisor", processes=ended)
            home.clear_metrics(self._settings)
            listener = self._prepare_ports(stack)
            migrate.upgrade(self._settings)
            database = Database(self._settings.database_url, pool_size=2)
            stack.callback(database.close)
            password = home.first_administrator(self._settings, database, self._admin_password)
            self._record(database, "application.started")
            self._plan(listener)
            started = Started(self._settings, password)
            reporter = Reporter(self._settings, database)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._signalled)
            reporter.start()
            try:
                on_started(started)
                self._loop(reporter, lambda: on_ready(started))
            finally:
                self._drain(reporter)
                reporter.stop()
                self._record(database, "application.stopped")

    def stop(self) -> None:
        """As if SIGTERM had come."""
        self._signals += 1

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _prepare_ports(self, stack: ExitStack) -> socket.socket | None:
        """Bind HTTP, check DICOM, and write both where tools find them."""
        listener = None
        dicom = self._settings.dicom
        http = self._settings.http
        if not self._only or "dimse" in self._only:
            port = home.check_dicom_port(self._settings)
            dicom = dicom.model_copy(update={"port": port})
        if self._web:
            listener = stack.enter_context(home.listen_http(self._settings))
            http = http.model_copy(update={"port": listener.getsockname()[1]})
        self._settings = self._settings.model_copy(update={"http": http, "dicom": dicom})
        facts = {"pid": os.getpid(), "http_port": http.port, "dicom_port": dicom.port}
        path = self._settings.home / "run" / "instance.json"
        path.write_text(json.dumps(facts), encoding="ascii")
        return listener

    def _plan(self, listener: socket.socket | None) -> None:
        for found in services.discover():
            specs = self._service_processes(found)
            if isinstance(specs, FoundService):
                self._broken.append(specs)
                continue
            for spec in specs:
                if not self._only or spec.name in self._only:
                    self._add(spec)
        if listener is not None:
            fd = listener.fileno()
            count = self._settings.http.processes or min(4, max(1, (os.cpu_count() or 1) // 2))
            self._add(ProcessSpec("web", _WEB, count, 8.0), {"listen_fd": fd}, (fd,))

    def _service_processes(self, found: FoundService) -> Sequence[ProcessSpec] | FoundService:
        if found.service is None:
            return found
        done = services.attempt(found, "start-up", lambda s: s.startup(self._settings))
        if isinstance(done, FoundService):
            return done
        return services.attempt(found, "processes", lambda s: s.processes(self._settings))

    def _add(
        self, spec: ProcessSpec, arguments: dict[str, int] | None = None, fds: tuple[int, ...] = ()
    ) -> None:
        for copy in range(spec.count):
            self._processes.append(
                SupervisedProcess(spec, copy, self._settings, arguments or {}, fds)
            )

    def _parts(self) -> list[Part]:
        broken = [
            Part(b.name, 0, PartState.BROKEN, b.error, 0, 0, self._began, self._began)
            for b in self._broken
        ]
        return [p.part() for p in self._processes] + broken

    def _loop(self, reporter: Reporter, on_ready: Callable[[], None]) -> None:
        announced = False
        while not self._signals:
            changed = [p.tick() for p in self._processes]
            reporter.report(self._parts(), urgent=any(changed))
            if not announced and all(p.state is PartState.READY for p in self._processes):
                announced = True
                took = dt.datetime.now(dt.UTC) - self._began
                log.info("ready", after_s=round(took.total_seconds(), 1))
                on_ready()
            time.sleep(_TICK_S)

    def _drain(self, reporter: Reporter) -> None:
        running = [p for p in self._processes if p.running]
        log.info("stopping", processes=[p.name for p in running])
        began, signals = time.monotonic(), self._signals
        for process in running:
            process.terminate()
        reporter.report(self._parts(), urgent=True)
        while running := [p for p in running if not p.reap()]:
            late = [p for p in running if time.monotonic() - began > p.spec.drain_s]
            for process in running if self._signals > max(1, signals) else late:
                log.warning("killed while draining", process=process.name)
                process.kill()
            time.sleep(_TICK_S)

    def _record(self, database: Database, action: str) -> None:
        with database.begin() as connection:
            audit.record(connection, SYSTEM, action, detail={"web": self._web})
