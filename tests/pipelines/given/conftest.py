"""Studies of a patient with a body, and the package that asks for all it may be given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ennead.contracts import Archive
from ennead.geometry import Grid
from ennead.plugins import DiscoveredPackage
from ennead.testing.asking import asking_package
from ennead.testing.shapes import EllipticTube, paint


def body_image(radius_mm: float = 30.0) -> tuple[np.ndarray, Grid]:
    grid = Grid(
        shape=(10, 40, 48),
        origin_mm=(-70.5, -58.5, -13.5),
        axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
        spacing_mm=(3.0, 3.0, 3.0),
        frame_of_reference_uid="1.2.3.4",
    )
    values = np.full(grid.shape, -1000.0, dtype=np.float32)
    paint(grid, EllipticTube((0, 0), (radius_mm, radius_mm), (-400, 400)), (values, 40))
    return values, grid


@pytest.fixture
def sample() -> DiscoveredPackage:
    return asking_package()


@pytest.fixture
def visit(archive: Archive, ct_files: Any) -> Callable[..., str]:
    """A study of the patient; returns its UID."""

    def store(date: str, radius_mm: float = 30.0, **attributes: Any) -> str:
        values, grid = body_image(radius_mm)
        said = {"PatientSex": "F", "PatientWeight": 61.5, "StudyID": date, **attributes}
        study = ""
        for path in ct_files(grid, values, StudyDate=date, **said):
            study = archive.store(path.read_bytes(), source="test").study_uid
        return study

    return store
