"""The HTTP API: who sees which model, moving them, and a model without code from the portal."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ennead.app.web import create_app
from ennead.database import Database
from ennead.security import SYSTEM, Principal, Role, tokens
from ennead.settings import Settings
from ennead_models.api import models
from ennead_models.folders import DiscoveredModel
from ennead_models.install import install
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import read_model
from ennead_models.records import Pilot
from ennead_models.registry import move
from ennead_models.testing.folders import write_model_folder
from ennead_models.testing.onnx_file import write_onnx
from ennead_models.wizard import apart

LAN = Principal("lan", "Trần Lan", frozenset({Role.DATA_SCIENTIST}))
Clients = Callable[..., TestClient]
SAID: dict[str, Any] = {
    "title_vi": "Vùng sáng",
    "summary_en": "Marks what is bright.",
    "summary_vi": "Đánh dấu vùng sáng.",
    "licence": "Apache-2.0",
    "modality": ["CT"],
    "orientation": "RAS",
    "intensity": "none",
    "tile": [32, 32, 32],
    "labels": [
        {"value": 1, "title_en": "Bright", "title_vi": "Sáng", "type": "SCT:10200004 Liver"}
    ],
}


@pytest.fixture
def clients(settings: Settings, database: Database) -> Iterator[Clients]:
    limits = settings.models.model_copy(update={"upload_limit_bytes": 100_000})
    app = create_app(settings.model_copy(update={"models": limits}))
    opened: list[TestClient] = []

    def make(role: Role = Role.DATA_SCIENTIST, name: str = "lan") -> TestClient:
        with database.begin() as connection:
            secret = tokens.create(connection, SYSTEM, name=name, roles={role})
        opened.append(TestClient(app, headers={"Authorization": f"Bearer {secret}"}))
        return opened[-1]

    yield make
    for client in opened:
        client.close()
    app.state.database.close()


@pytest.fixture
def installed(settings: Settings, database: Database, tmp_path: Path) -> Callable[..., None]:
    def put(version: str, *states: str, readers: tuple[str, ...] = ()) -> None:
        folder = write_model_folder(tmp_path / version, version=version)
        manifest, digest = read_model(folder)
        model = DiscoveredModel("bright", version, manifest, digest, folder, "test")
        install(settings, database, model, LAN, licence_accepted=True)
        for state in states:
            with database.begin() as connection:
                move(
                    connection,
                    "bright",
                    version,
                    ModelState(state),
                    LAN,
                    reason="agreed by the board",
                    pilot=Pilot(readers) if state == "pilot" else None,
                )

    return put


def versions(client: TestClient) -> dict[str, str | None]:
    models = client.get("/api/v1/models").raise_for_status().json()["models"]
    mine = [m for m in models if m["id"] == "bright"]
    return {v["version"]: v["state"] for m in mine for v in m["versions"]}


def test_shadow_is_for_scientists_pilots_for_their_readers(
    clients: Clients, installed: Callable[..., None]
) -> None:
    installed("1.0.0", "shadow", "active")
    installed("1.1.0", "shadow", "pilot", readers=("bs.an",))
    installed("1.2.0", "shadow")
    assert versions(clients()) == {"1.0.0": "active", "1.1.0": "pilot", "1.2.0": "shadow"}
    assert versions(clients(Role.RADIOLOGIST, "bs.an")) == {"1.0.0": "active", "1.1.0": "pilot"}
    reader = clients(Role.RADIOLOGIST, "bs.binh")
    assert versions(reader) == {"1.0.0": "active"}
    item = reader.get("/api/v1/models/bright?lang=vi").json()
    assert item["title"] == "Vùng sáng"
    assert "licence_text" not in item["versions"][0]
    assert "weights" not in item["versions"][0]
    assert reader.get("/api/v1/models/bright/events").status_code == 403
    body = {"to": "retired"}
    assert reader.post("/api/v1/models/bright/1.0.0/state", json=body).status_code == 403
    assert clients(Role.DEVICE, "ct").get("/api/v1/models").status_code == 403


def test_a_model_in_the_shadow_does_not_exist_for_readers(
    clients: Clients, installed: Callable[..., None]
) -> None:
    installed("1.0.0", "shadow")
    reader = clients(Role.RADIOLOGIST, "bs.an")
    assert versions(reader) == {}
    assert reader.get("/api/v1/models/bright").status_code == 404


def test_moving_and_rolling_back(clients: Clients, installed: Callable[..., None]) -> None:
    installed("1.0.0", "shadow")
    installed("1.1.0")
    client = clients()
    state = "/api/v1/models/bright/{}/state"
    refused = client.post(state.format("1.0.0"), json={"to": "active"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ENN-0810")
    assert "validation report" in refused.json()["detail"]
    for version, steps in (("1.0.0", ["active"]), ("1.1.0", ["shadow", "active"])):
        for to in steps:
            body = {"to": to, "reason": "agreed by the board"}
            assert client.post(state.format(version), json=body).status_code == 200
    assert versions(client) == {"1.0.0": "retired", "1.1.0": "active"}
    back = client.post("/api/v1/models/bright/rollback", json={"reason": "too many"}).json()
    assert back["active"] == "1.0.0"
    assert [v["next"] for v in back["versions"]] == [["shadow"], ["pilot", "retired", "shadow"]]
    events = client.get("/api/v1/models/bright/events?limit=2").json()["events"]
    assert [(e["action"], e["version"], e["to"]) for e in events] == [
        ("rolled-back", "1.0.0", "active"),
        ("rolled-back", "1.1.0", "retired"),
    ]
    assert events[0]["by"] == "lan"
    older = client.get(f"/api/v1/models/bright/events?before={events[-1]['id']}").json()
    assert older["events"][0]["id"] < events[-1]["id"]
    assert client.post(state.format("9.9.9"), json={"to": "shadow"}).status_code == 404
    assert client.post(state.format("1.0.0"), json={"to": "nowhere"}).status_code == 422


def test_installing_asks_for_the_licence(
    clients: Clients, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the same work, without a process of its own; a draft's test has one
    monkeypatch.setattr(models, "run_apart", lambda given, job: apart._work(given, job))
    write_model_folder(settings.home / "models")
    client = clients()
    item = client.get("/api/v1/models/bright").json()["versions"][0]
    assert (item["installed"], item["licence_text"], item["code"]) == (False, "Apache-2.0", None)
    address = "/api/v1/models/bright/1.0.0/install"
    refused = client.post(address, json={"licence_accepted": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "ENN-0809")
    done = client.post(address, json={"licence_accepted": True}).json()
    (version,) = done["versions"]
    assert version["state"] == "registered"
    assert version["licence_accepted_by"] == "lan"
    assert version["weights"]["present"]
    assert all(c["passed"] for c in version["reference"]["comparisons"])


def test_a_file_becomes_a_model_in_the_portal(
    clients: Clients, settings: Settings, tmp_path: Path
) -> None:
    client = clients()
    content = write_onnx(tmp_path / "net.onnx").read_bytes()
    sent = client.post("/api/v1/models/drafts?name=bright%20ct.onnx&lang=en", content=content)
    assert sent.status_code == 201, sent.text
    draft = sent.json()
    assert draft["inputs"] == [
        {"name": "image", "dtype": "float32", "shape": ["n", 1, "d", "h", "w"]}
    ]
    by_id = {q["id"]: q for q in draft["questions"]}
    assert by_id["kind"]["value"] == "labels"
    assert by_id["orientation"]["text"] == "Where the network's array axes point"
    assert draft["open"][0] == "title_vi"
    address = f"/api/v1/models/drafts/{draft['id']}"
    wrong = client.put(address, json={"answers": {"overlap": 7}})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "ENN-0200")
    early = client.post(f"{address}/install", json={"licence_accepted": False})
    assert early.json()["code"] == "ENN-0809"
    answered = client.put(address, json={"answers": SAID}).json()
    assert answered["open"] == []
    done = client.post(f"{address}/install", json={"licence_accepted": True})
    assert done.status_code == 201, done.text
    assert done.json() == {"model": "bright_ct", "version": "1.0.0", "state": "registered"}
    assert client.get(address).status_code == 404
    assert not list((settings.home / "model-drafts").iterdir())
    model = client.get("/api/v1/models/bright_ct").json()
    assert model["versions"][0]["labels"][0]["code"]["value"] == "10200004"


def test_what_is_sent_is_limited_and_judged(clients: Clients, settings: Settings) -> None:
    client = clients()
    large = client.post("/api/v1/models/drafts?name=x.onnx", content=b"0" * 100_001)
    assert large.status_code == 413
    assert "models.upload_limit_bytes" in large.json()["detail"]
    assert client.post("/api/v1/models/drafts?name=x.onnx", content=b"").status_code == 400
    assert client.post("/api/v1/models/drafts?name=..", content=b"x").status_code == 400
    garbage = client.post("/api/v1/models/drafts?name=x.txt", content=b"hello")
    assert (garbage.status_code, garbage.json()["code"]) == (422, "ENN-0804")
    assert "Give an ONNX file" in garbage.json()["detail"]
    assert not [f for f in (settings.home / "model-drafts").rglob("*") if f.is_file()]
    assert client.get("/api/v1/models/drafts").json() == {"drafts": []}
    assert client.get("/api/v1/models/drafts/" + "0" * 32).status_code == 404
    assert client.delete("/api/v1/models/drafts/zz").status_code == 404
    reader = clients(Role.RADIOLOGIST, "bs.an")
    assert reader.post("/api/v1/models/drafts?name=x.onnx", content=b"x").status_code == 403


def test_codes_are_found_by_words(clients: Clients) -> None:
    found = clients().get("/api/v1/models/codes?words=liver&limit=1").json()["codes"]
    assert found == [
        {
            "text": "SCT:10200004 Liver",
            "value": "10200004",
            "meaning": "Liver",
            "category": "SCT:91723000 Anatomical Structure",
            "segmented": True,
        }
    ]


def test_work_apart_that_ends_without_an_answer_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess
    import sys

    from ennead.errors import ModelError

    run = subprocess.run

    def killed(command: list[str], **more: Any) -> Any:
        return run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], **more)

    monkeypatch.setattr(subprocess, "run", killed)
    with pytest.raises(ModelError, match="signal 9 and no answer; most often memory ran out"):
        apart.run_apart(settings, {"action": "read"})
