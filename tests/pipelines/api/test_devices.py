"""The device page: what live workers told, models that are open, nothing that is too old."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ennead.security import Role
from ennead.settings import Settings
from ennead_gpu.host import ModelHost
from ennead_models.records import InstalledModel
from ennead_pipelines.device_state import note_residents, read_devices, read_residents, report
from ennead_pipelines.networks.source import ModelSource

RESIDENT = {
    "device": "cpu",
    "model": "bright",
    "version": "1.0.0",
    "title": {"vi": "Vùng sáng", "en": "Bright region"},
    "mib": 12.5,
    "used_at": 0.0,
}


@pytest.fixture
def reporting(settings: Settings) -> None:
    """One round of a worker's report, then the worker is gone without having tidied up."""
    stop = threading.Event()
    thread = threading.Thread(target=report, args=(settings.home, "0", stop))
    thread.start()
    file = settings.home / "run" / "devices-0.json"
    deadline = time.monotonic() + 10
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    kept = file.read_bytes()
    stop.set()
    thread.join(timeout=10)
    assert not file.exists(), "a worker that ends takes its devices off the page"
    file.write_bytes(kept)


@pytest.mark.usefixtures("reporting")
def test_the_processors_are_told_with_memory(
    client_of: Callable[..., TestClient], settings: Settings
) -> None:
    answer = client_of().get("/api/v1/devices").json()
    cpu = answer["devices"][0]
    assert cpu["id"] == "cpu"
    assert 0 < cpu["free_mib"] <= cpu["total_mib"]
    assert 0 < cpu["budget_mib"] < cpu["total_mib"]
    assert cpu["residents"] == []
    assert answer["running"] == []
    assert read_devices(settings.home, lambda: time.time() + 60) == [], "too old to be true"


@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize(
    ("lane", "role", "seen"),
    [
        ("active", Role.RADIOLOGIST, True),
        ("shadow", Role.RADIOLOGIST, False),
        ("shadow", Role.DATA_SCIENTIST, True),
    ],
)
def test_open_models_are_told_to_those_who_see_their_lane(
    client_of: Callable[..., TestClient], settings: Settings, lane: str, role: Role, seen: bool
) -> None:
    note_residents(settings.home, [{**RESIDENT, "lane": lane, "used_at": time.time() - 30}])
    answer = client_of(role, "x").get("/api/v1/devices?lang=vi").json()
    told = answer["devices"][0]["residents"]
    assert bool(told) is seen
    if seen:
        assert (told[0]["title"], told[0]["mib"]) == ("Vùng sáng", 12.5)
        assert told[0]["process"] == os.getpid()
        assert 29 < told[0]["idle_s"] < 60


def test_what_a_devices_host_says_is_told_with_the_models_names(
    client_of: Callable[..., TestClient],
    settings: Settings,
    real_model: Callable[..., InstalledModel],
) -> None:
    """A host of the processors; a GPU's is the same class."""
    model = real_model()
    host = ModelHost("cpu", 4096)
    file = settings.home / "run" / "devices-0.json"
    file.parent.mkdir(exist_ok=True)

    def told(stop: Callable[[], bool]) -> None:
        cpu = host.state()["device"] | {"budget_mib": 4096, "host": host.state()}
        file.write_text(json.dumps({"at": time.time(), "devices": [cpu]}))

    key = ModelSource.of(model, settings).key
    host.run(key, object, lambda opened, stop: told(stop), mib=900)
    device = client_of(Role.DATA_SCIENTIST, "x").get("/api/v1/devices").json()["devices"][0]
    assert device["leases"] == {"leased_mib": 900.0, "running": 1, "waiting": [], "finished": 0}
    (resident,) = device["residents"]
    assert (resident["model"], resident["version"]) == (model.model, model.version)
    assert (resident["mib"], resident["process"]) == (900.0, None)
    assert client_of().get("/api/v1/devices").json()["devices"][0]["residents"] == []


def test_a_process_that_is_gone_keeps_no_models(settings: Settings) -> None:
    gone = settings.home / "run" / "residents" / "999999999.json"
    gone.parent.mkdir(parents=True)
    gone.write_text(json.dumps({"residents": [RESIDENT]}))
    assert read_residents(settings.home) == []
    assert not gone.exists()


def test_without_a_worker_there_is_no_device(
    client_of: Callable[..., TestClient], settings: Settings
) -> None:
    assert client_of().get("/api/v1/devices").json()["devices"] == []
    note_residents(settings.home, [RESIDENT])
    note_residents(settings.home, [])
    assert list(Path(settings.home / "run" / "residents").iterdir()) == []
