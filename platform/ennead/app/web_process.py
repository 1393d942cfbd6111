"""The web process: uvicorn on a socket that the supervisor opened."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from ennead.app.web import create_app
from ennead.settings import Settings


def serve(
    settings: Settings, ready: Callable[[], None], stop: threading.Event, *, listen_fd: int
) -> None:
    """Serve until ``stop`` is set; answers under way are finished, streams are cut after 5 s."""
    proxies = list(settings.http.trusted_proxies)
    config = uvicorn.Config(
        create_app(settings),
        http="httptools",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config, ready)
    threading.Thread(target=_stop_later, args=(server, stop), daemon=True).start()
    server.run(sockets=[socket.socket(fileno=listen_fd)])


class _Server(uvicorn.Server):
    """Says when it serves, and leaves signals to the process that runs it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _stop_later(server: _Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True
