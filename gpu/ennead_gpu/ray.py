"""Starting Ray, or joining one; noticing when it has died.

A local Ray belongs to the process that starts it: it ends with that process, keeps its files in
the instance's home (or a short directory of ours, since a Unix socket's path ends at 107 bytes),
refuses whoever does not know the home's token, and tells nobody that it is used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import structlog

from ennead.errors import ServiceError
from ennead.settings import Settings
from ennead_gpu.nodes import NodeWatch

log = structlog.get_logger(__name__)

#: What Ray appends to its directory: ``/session_…/sockets/plasma_store`` with room to spare.
_SOCKET_SUFFIX_BYTES: Final = 68
_SOCKET_LIMIT_BYTES: Final = 107
#: Between two looks at a cluster's nodes, and how long it may stay silent.
WATCH_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 60.0


def temporary_directory(home: Path, place: str = "0") -> Path:
    """Where a local Ray of this home keeps sockets, logs and spilled objects.

    Parameters
    ----------
    place : str
        Distinguishes workers that share a home.
    """
    inside = home / "run" / f"ray-{place}"
    if len(os.fsencode(inside)) + _SOCKET_SUFFIX_BYTES <= _SOCKET_LIMIT_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"ennead-{digest}-{place}"


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What one task may ask for: no more than the largest node has, or it would wait for ever.

    Parameters
    ----------
    memory_bytes : float
        That Ray gives to tasks there; 0 when it is not known, and then memory is not asked for.
    excluded : tuple of str
        Ids of nodes that get no task (:mod:`ennead_gpu.nodes`).
    """

    cpus: float
    memory_bytes: float = 0.0
    excluded: tuple[str, ...] = ()

    def options(self, cpu: float, ram_mib: int) -> dict[str, Any]:
        """Ray's options of a task that needs ``cpu`` processors and ``ram_mib``."""
        found: dict[str, Any] = {"num_cpus": min(cpu, self.cpus), **self.placement()}
        if self.memory_bytes:
            found["memory"] = int(min(ram_mib * 1024.0**2, self.memory_bytes))
        return found

    def placement(self) -> dict[str, Any]:
        """Ray's options that keep a task away from the excluded nodes."""
        if not self.excluded:
            return {}
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(self.excluded)})"}}


class RayRuntime:
    """The Ray that this process computes on.

    Examples
    --------
    ::

        runtime = RayRuntime(settings)
        runtime.start()
        ...
        if not runtime.is_alive():
            runtime.kill()
            os._exit(75)  # the supervisor starts a fresh process
    """

    def __init__(self, settings: Settings, place: str = "0") -> None:
        self._settings = settings
        self._directory = temporary_directory(settings.home, place)
        self.cpus = 0.0
        self.room = NodeRoom(1.0)
        self._started = False
        self._stopping = threading.Event()
        self._answered_at = 0.0

    @property
    def is_local(self) -> bool:
        """Whether this process starts its own Ray."""
        return not self._settings.ray.address

    def start(self) -> None:
        """Start a local Ray, or connect to the cluster of ``settings.ray.address``.

        Raises
        ------
        ServiceError
            Ray does not start or the cluster does not answer.
        """
        self._environment()
        import ray

        # Ray reads its environment when it is first imported, which may have been before.
        native: Any = ray._raylet
        native.Config.initialize("")
        native.AuthenticationTokenLoader.instance().reset_cache()
        options: dict[str, Any] = {
            "logging_level": "ERROR",
            "log_to_driver": False,
            "configure_logging": False,
            "namespace": "ennead",
        }
        if self.is_local:
            self._make_directory()
            options |= {
                "address": "local",
                "num_cpus": self._settings.ray.cpus or os.cpu_count() or 1,
                "include_dashboard": False,
                "object_store_memory": self._settings.ray.object_store_bytes,
                "_temp_dir": str(self._directory),
                "_node_ip_address": "127.0.0.1",
            }
        else:
            options["address"] = self._settings.ray.address
        with _signals_kept():
            try:
                ray.init(**options)
            except Exception as error:
                raise ServiceError(
                    f"Ray cannot be {'started' if self.is_local else 'reached'} "
                    f"({self._settings.ray.address or self._directory}): {error}"
                ) from error
        self._started = True
        watch = None if self.is_local else NodeWatch(self._settings.objects_dir)
        self._look(watch)
        until = time.monotonic() + AWAY_SECONDS
        while watch is not None and watch.waiting and time.monotonic() < until:
            self._look(watch)
        if watch is not None:
            threading.Thread(target=self._watch, args=(watch,), name="nodes", daemon=True).start()
        log.info("ray is up", local=self.is_local, cpus=self.cpus)

    def _watch(self, watch: NodeWatch) -> None:
        """Follow the cluster: nodes come and go."""
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self._look(watch)
            except Exception:  # the cluster does not answer; is_alive says so when it stays away
                log.exception("the cluster does not answer")

    def _look(self, watch: NodeWatch | None) -> None:
        import ray

        nodes = ray.nodes()
        if watch is not None:
            watch.look(nodes)
        excluded = watch.excluded if watch else ()
        alive = [n["Resources"] for n in nodes if n["Alive"] and n["NodeID"] not in excluded]
        self.cpus = sum(float(each.get("CPU", 0.0)) for each in alive)
        self.room = replace(_largest_node(alive), excluded=excluded)
        self._answered_at = time.monotonic()

    def is_alive(self) -> bool:
        """Whether the local Ray's processes run, or the cluster has answered lately."""
        import ray

        if not self._started or not ray.is_initialized():
            return False
        node = ray._private.worker._global_node
        if not self.is_local:
            return time.monotonic() - self._answered_at < AWAY_SECONDS
        if node is None:
            return True
        return not {kind for kind, _ in node.dead_processes()} & {"gcs_server", "raylet"}

    def stop(self) -> None:
        """End the local Ray, or leave the cluster."""
        import ray

        self._stopping.set()
        if self._started and ray.is_initialized():
            with _signals_kept():
                ray.shutdown()
            if self.is_local:
                shutil.rmtree(self._directory, ignore_errors=True)
        self._started = False

    def kill(self) -> None:
        """End what is left of a local Ray that has died; the process should then end as well.

        Notes
        -----
        A farewell to a dead cluster, and starting another one in the same process, take some
        twenty seconds. A fresh process is there in five.
        """
        import ray

        node = ray._private.worker._global_node
        if self.is_local and node is not None:
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=False)

    def process_ids(self) -> dict[str, list[int]]:
        """Process ids of the local Ray by kind (``raylet``, ``gcs_server`` …)."""
        import ray

        node = ray._private.worker._global_node
        if node is None:
            return {}
        return {
            kind: [info.process.pid for info in processes]
            for kind, processes in node.all_processes.items()
        }

    def _environment(self) -> None:
        """What Ray reads from the environment, for this process and its children."""
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        token_file = self._settings.ray.token_file
        if not self.is_local and token_file is not None:
            if not token_file.is_file():
                raise ServiceError(
                    f"The Ray token {token_file} is not there; mount the cluster's token, or leave "
                    "ENNEAD_RAY__TOKEN_FILE empty."
                )
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ["RAY_AUTH_TOKEN_PATH"] = str(token_file)
        if self.is_local:
            token = self._settings.home / "run" / "ray-token"
            if not token.exists():
                token.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(32))
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)

    def _make_directory(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._directory.is_symlink() or self._directory.stat().st_uid != os.getuid():
            raise ServiceError(
                f"{self._directory} must be a directory of our own user; remove it, or choose a "
                "shorter home so that Ray's sockets fit inside it."
            )
        for old in self._directory.glob("session_*"):
            if old.is_symlink():
                old.unlink()
            else:
                shutil.rmtree(old, ignore_errors=True)


def _largest_node(nodes: list[dict[str, float]]) -> NodeRoom:
    cpus = max((float(node.get("CPU", 0.0)) for node in nodes), default=1.0)
    return NodeRoom(
        max(1.0, cpus), max((float(node.get("memory", 0.0)) for node in nodes), default=0.0)
    )


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray installs its own SIGTERM handler; ours drains."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
