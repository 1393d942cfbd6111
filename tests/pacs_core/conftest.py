"""Small CT series with an analytic content, and the way in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.database import Database
from ennead.geometry import Grid
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead_pacs.ingest import Ingest


def ct_values(slices: int, side: int = 32) -> np.ndarray[Any, np.dtype[np.float32]]:
    """HU at slice z, row y, column x: y + 2 x + 3 z - 1000."""
    z, y, x = np.mgrid[0:slices, 0:side, 0:side]
    return (y + 2 * x + 3 * z - 1000).astype(np.float32)


@pytest.fixture
def series_of(tmp_path: Path) -> Callable[..., list[Path]]:
    """Write a series of ``slices`` files; keyword arguments become attributes."""
    made = 0

    def make(slices: int = 4, side: int = 32, **attributes: Any) -> list[Path]:
        nonlocal made
        made += 1
        grid = Grid(
            shape=(slices, side, side),
            origin_mm=(0.0, 0.0, 0.0),
            axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
            spacing_mm=(2.0, 1.0, 1.0),
        )
        folder = tmp_path / f"series-{made}"
        return write_series(ct_values(slices, side), grid, folder, **attributes)

    return make


@pytest.fixture
def ingest(settings: Settings, database: Database) -> Iterator[Ingest]:
    with Ingest(settings, database) as opened:
        yield opened
