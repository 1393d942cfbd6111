"""An archive with a small CT series, the sample package, and the rooms between them."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from ennead import events
from ennead.contracts import Archive
from ennead.database import Database
from ennead.geometry import Grid
from ennead.plugins import DiscoveredPackage
from ennead.security import Principal, Role
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead.testing.sample import sample_package
from ennead_models.records import InstalledModel
from ennead_pacs.archive import open_archive
from ennead_pipelines.packages import PackageCatalogue
from ennead_pipelines.prepare import Preparer
from ennead_pipelines.settle import Settler
from ennead_pipelines.tables import jobs, settlements

#: The bright box of :func:`bright_box`: voxels, and their HU.
BOX_VOXELS, BOX_HU = 3 * 5 * 4, 100.0


def small_grid(slices: int = 8, spacing_z_mm: float = 2.0) -> Grid:
    return Grid(
        shape=(slices, 24, 32),
        origin_mm=(-10.0, 20.0, 30.0),
        axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
        spacing_mm=(spacing_z_mm, 1.5, 1.25),
        frame_of_reference_uid="1.2.3.4",
    )


def bright_box(grid: Grid) -> np.ndarray:
    values = np.full(grid.shape, -1000.0, dtype=np.float32)
    values[2:5, 1:6, 2:6] = BOX_HU
    return values


CT = {
    "BodyPartExamined": "CHEST",
    "KVP": 120,
    "SliceThickness": 2,
    "PatientID": "P1",
    "SeriesDescription": "Thorax",
}


@pytest.fixture
def ct_files(tmp_path: Path) -> Callable[..., list[Path]]:
    """Write a small CT series; keyword arguments replace attributes."""
    numbers = iter(range(100))

    def write(grid: Grid | None = None, values: Any = None, **attributes: Any) -> list[Path]:
        grid = grid or small_grid()
        folder = tmp_path / f"series-{next(numbers)}"
        values = bright_box(grid) if values is None else values
        return write_series(values, grid, folder, **{**CT, **attributes})

    return write


@pytest.fixture(scope="session")
def ray_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Ray for all tests of this room."""
    from ennead_gpu.ray import RayRuntime

    home: Path = tmp_path_factory.mktemp("ray-home")
    options = {"cpus": 2, "object_store_bytes": 100 * 1024**2}
    runtime = RayRuntime(Settings.load(home, ray=options))
    runtime.start()
    yield runtime
    runtime.stop()


@pytest.fixture
def archive(settings: Settings, database: Database) -> Iterator[Archive]:
    opened = open_archive(settings, database)
    yield opened
    opened.close()


@pytest.fixture
def send(archive: Archive, ct_files: Callable[..., list[Path]]) -> Callable[..., str]:
    """Store a small CT series; returns its Study Instance UID."""

    def store(*args: Any, only: slice = slice(None), **attributes: Any) -> str:
        study = ""
        for path in ct_files(*args, **attributes)[only]:
            study = archive.store(path.read_bytes(), source="test").study_uid
        return study

    return store


@pytest.fixture
def sample() -> DiscoveredPackage:
    return sample_package()


@pytest.fixture
def catalogue(sample: DiscoveredPackage) -> PackageCatalogue:
    return PackageCatalogue(discover=lambda: [sample])


@pytest.fixture
def settler(
    database: Database, archive: Archive, settings: Settings, catalogue: PackageCatalogue
) -> Settler:
    return Settler(database, archive, settings, catalogue, Preparer(archive))


@pytest.fixture
def settle(database: Database, settler: Settler) -> Callable[[], None]:
    """Take in what arrived and settle it as if the quiet period had passed."""

    def run() -> None:
        settler.step()
        long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        with database.begin() as connection:
            connection.execute(
                update(settlements)
                .where(settlements.c.settled_at.is_(None))
                .values(changed_at=long_ago)
            )
        settler.step()

    return run


@pytest.fixture
def job_rows(database: Database) -> Callable[[], list[Any]]:
    def read() -> list[Any]:
        with database.read() as connection:
            return list(connection.execute(select(jobs).order_by(jobs.c.created_at)).all())

    return read


@pytest.fixture
def event_kinds(database: Database) -> Callable[[], list[str]]:
    def read() -> list[str]:
        with database.read() as connection:
            return list(connection.execute(select(events.outbox.c.kind)).scalars())

    return read


@pytest.fixture
def real_model(
    database: Database, settings: Settings, tmp_path: Path
) -> Callable[..., InstalledModel]:
    """A tiny ONNX file, installed with its licence, weights and reference case."""

    manager = Principal("ds.lan", "Lan", frozenset({Role.DATA_SCIENTIST}))

    def make(**changes: Any) -> InstalledModel:
        from ennead_models.folders import DiscoveredModel
        from ennead_models.install import install as install_model
        from ennead_models.manifest import read_model
        from ennead_models.testing.folders import write_model_folder

        root = tmp_path / f"folders-{changes.get('version', '1.0.0')}"
        folder = write_model_folder(root, **changes)
        manifest, digest = read_model(folder)
        found = DiscoveredModel(manifest.id, manifest.version, manifest, digest, folder, "test")
        return install_model(settings, database, found, manager, licence_accepted=True)

    return make
