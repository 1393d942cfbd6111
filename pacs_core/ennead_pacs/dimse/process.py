"""The process ``dimse``: one acceptor; several share the port by SO_REUSEPORT."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from collections.abc import Callable

from ennead.database import Database
from ennead.security.authenticator import Authenticator
from ennead.settings import Settings
from ennead_pacs.dimse.acceptor import Acceptor
from ennead_pacs.dimse.node import Node
from ennead_pacs.dimse.sop_classes import storage_classes
from ennead_pacs.ingest import Ingest

DRAIN_S = 15.0
_log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that other acceptor processes may share."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


def serve(settings: Settings, ready: Callable[[], None], stop: threading.Event) -> None:
    """Serve DIMSE on the port of the settings until ``stop`` is set."""
    storage_classes()
    run(settings, listen(settings.http.host, settings.dicom.port), ready, stop)


def run(
    settings: Settings, listener: socket.socket, ready: Callable[[], None], stop: threading.Event
) -> None:
    """Serve a listening socket, then let running associations finish."""
    database = Database(settings.database_url)
    with Ingest(settings, database) as ingest:
        node = Node(settings, database, ingest, Authenticator(database), stop)
        if settings.dicom.accept_any_ae:
            _log.warning("any AE title may associate (dicom.accept_any_ae)")
        gc.collect()
        gc.freeze()
        ready()
        Acceptor(node, listener).run()
        deadline = time.monotonic() + DRAIN_S
        while node.associations and time.monotonic() < deadline:
            time.sleep(0.02)
        if node.associations:
            _log.warning("%d associations were cut off by the stop", node.associations)
    database.close()
