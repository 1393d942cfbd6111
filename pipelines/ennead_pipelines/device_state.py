"""What the workers tell about their devices and the models that are open, for the device page.

Small files under ``<home>/run``: one of each worker (``devices-<place>.json``, written every few
seconds), one of each process that keeps models open (``residents/<pid>.json``). The web process
only reads them. What is too old, or of a process that is gone, is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

_EVERY_SECONDS: Final = 2.0
#: A worker that wrote nothing for so long is not there.
STALE_SECONDS: Final = 15.0


def report(
    home: Path,
    place: str,
    stop: threading.Event,
    hosted: Callable[[str], dict[str, Any] | None] = lambda device: None,
) -> None:
    """Write the devices of this worker until ``stop``; the target of a thread.

    Parameters
    ----------
    hosted : callable
        Device → what its host says (:meth:`ennead_gpu.host.ModelHost.state`); None without one.
    """
    from ennead_gpu.devices import Inventory

    inventory = Inventory()
    file = home / "run" / f"devices-{place}.json"
    try:
        while not stop.is_set():
            try:
                devices = [
                    {
                        **each.as_json(),
                        "budget_mib": round(each.budget_mib),
                        "host": hosted(each.id),
                    }
                    for each in inventory.devices()
                ]
                _replace(file, {"at": time.time(), "devices": devices})
            except Exception:  # a driver may fail; the worker goes on without its page
                log.exception("devices cannot be read")
            stop.wait(_EVERY_SECONDS)
    finally:
        file.unlink(missing_ok=True)


def note_residents(home: Path, residents: Sequence[Mapping[str, Any]]) -> None:
    """Write down which models this process keeps open; none removes the file."""
    file = home / "run" / "residents" / f"{os.getpid()}.json"
    with contextlib.suppress(OSError):  # a page may miss a line; a run may not fail for it
        if residents:
            _replace(file, {"residents": [dict(each) for each in residents]})
        else:
            file.unlink(missing_ok=True)


def read_devices(home: Path, clock: Callable[[], float] = time.time) -> list[dict[str, Any]]:
    """The devices of every live worker, each once."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((home / "run").glob("devices-*.json")):
        told = _read(file)
        if told and clock() - told["at"] <= STALE_SECONDS:
            for device in told["devices"]:
                found.setdefault(device["id"], device)
    return list(found.values())


def read_residents(home: Path) -> list[dict[str, Any]]:
    """Models that live processes keep open, each with the process that holds it."""
    found: list[dict[str, Any]] = []
    for file in sorted((home / "run" / "residents").glob("*.json")):
        if not _lives(file.stem):
            file.unlink(missing_ok=True)
            continue
        told = _read(file)
        found.extend(
            {**each, "process": int(file.stem)} for each in (told or {}).get("residents", ())
        )
    return found


def _lives(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def _read(file: Path) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # gone between listing and reading
        return None
    return told


def _replace(file: Path, data: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    fresh.write_text(json.dumps(data), encoding="utf-8")
    fresh.replace(file)
