from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ennead.app.web import create_app
from ennead.database import Database
from ennead.geometry import Grid
from ennead.security import SYSTEM, Role
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead_pacs.ingest import Ingest
from starlette.testclient import TestClient


def ct_series(folder: Path, slices: int = 6, side: int = 32, **attributes: object) -> list[Path]:
    """A small CT series whose pixel at row r, column c of slice z is r + 2 c + 3 z - 1000 HU."""
    z, y, x = np.mgrid[0:slices, 0:side, 0:side]
    values = (y + 2 * x + 3 * z - 1000).astype(np.float32)
    grid = Grid(
        shape=(slices, side, side),
        origin_mm=(0.0, 0.0, 0.0),
        axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
        spacing_mm=(2.0, 1.0, 1.0),
    )
    return write_series(values, grid, folder, **attributes)


@pytest.fixture
def series_of(tmp_path: Path) -> Callable[..., list[Path]]:
    made = 0

    def make(slices: int = 6, **attributes: object) -> list[Path]:
        nonlocal made
        made += 1
        return ct_series(tmp_path / f"series-{made}", slices, **attributes)

    return make


@pytest.fixture
def ingest(settings: Settings, database: Database) -> Iterator[Ingest]:
    with Ingest(settings, database) as opened:
        yield opened


@pytest.fixture
def token(settings: Settings, database: Database) -> Callable[[str], str]:
    from ennead.security.tokens import create

    def make(role: str) -> str:
        with database.begin() as connection:
            return create(connection, SYSTEM, name=f"test-{role}", roles={Role(role)})

    return make


@pytest.fixture
def client(settings: Settings, database: Database, token: Callable[[str], str]) -> Iterator[TestClient]:
    app = create_app(settings)
    with TestClient(app, headers={"Authorization": f"Bearer {token('admin')}"}) as opened:
        yield opened
