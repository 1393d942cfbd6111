"""The worker process: settles studies in one thread, runs jobs on Ray in the main one.

It is ready as soon as it takes in what arrives: jobs wait in the database until Ray is up. When
Ray dies the process ends, and its supervisor starts a fresh one, which takes its jobs back at once.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from ennead.contracts import Archive
from ennead.database import Database
from ennead.settings import Settings
from ennead_pipelines.device_state import report
from ennead_pipelines.foresee import Foreseen
from ennead_pipelines.given.gather import Giver
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.networks.anatomy import use_models
from ennead_pipelines.networks.lifecycle import InstalledModels
from ennead_pipelines.networks.reruns import Expander
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.settle import Settler

log = structlog.get_logger(__name__)

#: Exit status that says "start me again": Ray is gone.
RAY_GONE: Final = 75
_SETTLE_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 0.1


def run(
    settings: Settings,
    ready: Callable[[], None],
    stop: threading.Event,
    catalogue: PackageCatalogue | None = None,
) -> None:
    """The target of the process ``worker``; ``catalogue`` is what is installed unless given."""
    from ennead_pacs.archive import open_archive

    with _place(settings.home) as place:
        database = Database(settings.database_url)
        archive = open_archive(settings, database)
        models = InstalledModels(database)
        use_models(models, settings)
        catalogue = catalogue or PackageCatalogue(models=models)
        owner = f"{socket.gethostname()}:{_home_key(settings.home)}:{place}/{secrets.token_hex(6)}"
        queue = JobQueue(database, owner, settings.pipelines.lease_s)
        recovered = queue.recover()
        log.info("worker starts", owner=owner, recovered=len(recovered))
        preparer = Preparer(archive)
        preparer.start()
        foreseen = Foreseen(archive, settings.dicom.decode_limit_bytes)
        settler = Settler(database, archive, settings, catalogue, preparer, foreseen=foreseen)
        giver = Giver.of(archive, settings)
        expander = Expander(database, archive, settings.portal.zone, catalogue, giver)
        steps = (settler.step, expander.step)
        thread = threading.Thread(target=_settle, args=(steps, stop), name="settle", daemon=True)
        thread.start()
        ready()
        try:
            _run_jobs(settings, archive, queue, catalogue, stop, place, foreseen)
        finally:
            stop.set()
            thread.join(timeout=10)
            preparer.stop()
            close = getattr(archive, "close", None)
            if close is not None:
                close()
            database.close()


def _run_jobs(
    settings: Settings,
    archive: Archive,
    queue: JobQueue,
    catalogue: PackageCatalogue,
    stop: threading.Event,
    place: str,
    foreseen: Foreseen,
) -> None:
    from ennead_gpu.ray import RayRuntime
    from ennead_pipelines.functions.loop import FunctionLoop
    from ennead_pipelines.networks.devices import hosted
    from ennead_pipelines.networks.validator import Validator
    from ennead_pipelines.run.dispatch import Dispatcher
    from ennead_pipelines.run.leases import LeaseKeeper

    runtime = RayRuntime(settings, place)
    runtime.start()
    leases = LeaseKeeper(queue, settings.pipelines.lease_s)
    leases.start()
    dispatcher = Dispatcher(
        settings, archive, queue, catalogue, leases, runtime.cpus, runtime.room, foreseen
    )
    functions = FunctionLoop(settings, archive, queue, catalogue, leases, dispatcher.volumes)
    calls = threading.Thread(target=functions.run, args=(stop,), name="functions", daemon=True)
    calls.start()
    validator = Validator(settings, queue.database, runtime.room)
    validating = threading.Thread(target=validator.run, args=(stop,), name="validate", daemon=True)
    validating.start()
    told = (settings.home, place, stop, hosted)
    threading.Thread(target=report, args=told, name="devices", daemon=True).start()
    while not stop.is_set():
        try:
            dispatcher.resize(runtime.cpus, runtime.room)
            dispatcher.step(_IDLE_SECONDS)
        except Exception:  # the worker boundary: the database or Ray may be away for a moment
            log.exception("the worker's round failed")
            stop.wait(1.0)
        if not runtime.is_alive():
            log.error("ray died; the worker starts afresh")
            dispatcher.abandon()
            runtime.kill()
            os._exit(RAY_GONE)
    calls.join(timeout=10)
    dispatcher.drain()
    leases.stop()
    runtime.stop()


def _settle(steps: Sequence[Callable[[], bool]], stop: threading.Event) -> None:
    """What arrives comes first; studies of the past while nothing does."""
    while not stop.is_set():
        try:
            busy = any(step() for step in steps)
        except Exception:  # the database may be away for a moment; the next round tries again
            log.exception("settling failed")
            stop.wait(2.0)
            continue
        if not busy:
            stop.wait(_SETTLE_SECONDS)


def _home_key(home: Path) -> str:
    """Homes on one host must not take each other's jobs for their own."""
    import hashlib

    return hashlib.sha256(os.fsencode(home)).hexdigest()[:8]


@contextmanager
def _place(home: Path) -> Iterator[str]:
    """The first free place among this home's workers; freed by the system when we die."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(64):
        with (folder / f"worker-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield str(number)
            return
    raise RuntimeError(f"64 workers already run in {home}; use fewer, or another home.")
