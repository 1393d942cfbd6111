"""A volume whose series' description says what the hostile package is to try."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.contracts import RunContext, Volume
from ennead.findings import Result
from ennead.geometry import Grid
from ennead.testing.hostile import hostile_package
from ennead_pipelines.sandbox import SandboxPlan, run_apart

GRID = Grid(
    shape=(6, 20, 24),
    origin_mm=(-10.0, 20.0, 30.0),
    axes=((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    spacing_mm=(2.0, 1.5, 1.25),
    frame_of_reference_uid="1.2.3.4",
)


def make_volume(description: str) -> Volume:
    values = np.full(GRID.shape, -1000.0, dtype=np.float32)
    values[2:5, 1:6, 2:6] = 100.0
    values.flags.writeable = False
    attributes: Any = {"0008103E": {"vr": "LO", "Value": [description]}}
    uids: Any = tuple(f"1.2.3.{k}" for k in range(GRID.shape[0]))
    return Volume(values, GRID, "1.2", "1.2.3", "CT", uids, attributes)  # type: ignore[arg-type]


@pytest.fixture
def volume() -> Callable[[str], Volume]:
    """A small CT whose description is given."""
    return make_volume


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "secret").write_text("patients", encoding="ascii")
    return folder


@pytest.fixture
def attempt(home: Path) -> Callable[..., tuple[Result, ...]]:
    """Run the hostile package; keyword arguments replace its limits."""
    package = hostile_package()
    assert package.manifest is not None
    manifest = package.manifest

    def run(description: str, mode: Any = "required", **limits: float) -> tuple[Result, ...]:
        runtime = manifest.runtime.model_copy(update=limits)
        changed = manifest.model_copy(update={"runtime": runtime})
        plan = SandboxPlan(mode, package.folder, "", home)
        context = RunContext(volumes={"ct": make_volume(description)})
        return run_apart(plan, changed, manifest.pipeline, context)

    return run
