"""One room for all calls: an archive with a CT, the web application, and the worker's loop."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from ennead.app.web import create_app
from ennead.contracts import Archive
from ennead.database import Database
from ennead.database.migrate import upgrade
from ennead.geometry import Grid
from ennead.security import SYSTEM, Role, tokens
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead.testing.sample import sample_package
from ennead_pacs.archive import open_archive
from ennead_pipelines.api.common import close_archive
from ennead_pipelines.jobs import JobQueue
from ennead_pipelines.packages import PackageCatalogue, introduce
from ennead_pipelines.run.leases import LeaseKeeper
from ennead_pipelines.tables import jobs

GRID = Grid(
    shape=(8, 24, 32),
    origin_mm=(-10.0, 20.0, 30.0),
    axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    spacing_mm=(2.0, 1.5, 1.25),
    frame_of_reference_uid="1.2.3.4",
)
CT = {"BodyPartExamined": "CHEST", "KVP": 120, "SliceThickness": 2, "PatientID": "P1"}


@dataclass
class Room:
    """What the tests of calls share."""

    settings: Settings
    database: Database
    archive: Archive
    app: Any
    folder: Path
    clients: dict[Role, TestClient] = field(default_factory=dict)
    sent: int = 0

    def client(self, role: Role = Role.RADIOLOGIST) -> TestClient:
        if role not in self.clients:
            with self.database.begin() as connection:
                secret = tokens.create(connection, SYSTEM, name=f"bs.{role}", roles={role})
            headers = {"Authorization": f"Bearer {secret}", "Accept-Language": "vi"}
            self.clients[role] = TestClient(self.app, headers=headers)
        return self.clients[role]

    def send(self, **attributes: Any) -> "Study":
        """A CT with two bright boxes, of its own study."""
        self.sent += 1
        values = np.full(GRID.shape, -1000.0, dtype=np.float32)
        values[2:5, 1:6, 2:6] = 100.0
        values[1:4, 12:20, 20:28] = 140.0
        folder = self.folder / str(self.sent)
        said = {**CT, "StudyID": str(self.sent), "PatientID": f"P{self.sent}", **attributes}
        study = ""
        for path in write_series(values, GRID, folder, **said):
            study = self.archive.store(path.read_bytes(), source="test").study_uid
        [series] = self.archive.series(study)  # type: ignore[arg-type]
        records = self.archive.instances(series.series_uid)
        heights = {
            header["00080018"]["Value"][0]: float(header["00200032"]["Value"][2])
            for header in self.archive.metadata(series.series_uid)
        }
        uids = sorted((r.instance_uid for r in records), key=lambda uid: heights[uid])
        return Study(self, study, series.series_uid, uids)

    def rows(self, study: str) -> list[Any]:
        with self.database.read() as connection:
            query = select(jobs).where(jobs.c.study_uid == study).order_by(jobs.c.created_at)
            return list(connection.execute(query).all())


@dataclass
class Study:
    """A stored study, and how to ask about it."""

    room: Room
    uid: str
    series_uid: str
    instance_uids: list[str]

    def at(self, z: float, y: float, x: float) -> list[float]:
        return [float(v) for v in GRID.to_patient((z, y, x))]

    def place(self, z: int, y: float, x: float) -> dict[str, Any]:
        return {"instance_uid": self.instance_uids[z], "position_mm": self.at(z, y, x)}

    def post(self, function: str, role: Role = Role.RADIOLOGIST, **inputs: Any) -> Any:
        return self.room.client(role).post(
            f"/api/v1/studies/{self.uid}/functions/sample/{function}",
            json={"series_uid": self.series_uid, "inputs": inputs},
        )

    def call(self, function: str, **inputs: Any) -> dict[str, Any]:
        answer = self.post(function, **inputs)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture(scope="module")
def room(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ray_runtime: Any
) -> Iterator[Room]:
    from ennead_pipelines.functions.loop import FunctionLoop
    from ennead_pipelines.run.volumes import VolumeCache

    folder = tmp_path_factory.mktemp("functions")
    url = ""
    if request.config.getoption("--database") == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    (folder / "home").mkdir()
    settings = Settings.load(folder / "home", database={"url": url})
    upgrade(settings)
    database = Database(settings.database_url)
    archive = open_archive(settings, database)
    package = sample_package()
    catalogue = PackageCatalogue(discover=lambda: [package])
    with database.begin() as connection:
        introduce(connection, [package])
    app = create_app(settings)
    app.state.package_catalogue = catalogue
    queue = JobQueue(database, "test:functions/1", 30)
    leases = LeaseKeeper(queue, 30)
    leases.start()
    loop = FunctionLoop(settings, archive, queue, catalogue, leases, VolumeCache(2**26))
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    made = Room(settings, database, archive, app, folder)
    yield made
    stop.set()
    thread.join(timeout=20)
    leases.stop()
    for client in made.clients.values():
        client.close()
    close_archive(app)
    app.state.database.close()
    archive.close()
    database.close()


@pytest.fixture(scope="module")
def wait_until() -> Callable[..., None]:
    """Wait for what the worker does after it has answered."""
    import time

    def wait(happened: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
        until = time.monotonic() + timeout_s
        while not happened():
            assert time.monotonic() < until, f"{what} did not happen"
            time.sleep(0.02)

    return wait
