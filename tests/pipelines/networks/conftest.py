"""Models installed by their registry row alone: no weights, no network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ennead.database import Database
from ennead.security import Principal, Role
from ennead.testing.models import model_data
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import parse_model
from ennead_models.records import InstalledModel, Pilot
from ennead_models.registry import move, register

SCIENTIST = Principal("ds.lan", "Lan", frozenset({Role.DATA_SCIENTIST}))
WAY = {
    "registered": [],
    "validated": ["validated"],
    "shadow": ["shadow"],
    "pilot": ["shadow", "pilot"],
    "active": ["shadow", "active"],
    "retired": ["retired"],
}


@pytest.fixture
def install(database: Database, tmp_path: Path) -> Callable[..., InstalledModel]:
    """Register a model and bring it into a state; keyword arguments replace manifest entries."""

    def run(
        state: str = "shadow", pilot: Pilot = Pilot(("bs.an",)), **changes: Any
    ) -> InstalledModel:
        manifest = parse_model(model_data(**changes), "test")
        digest = f"sha256:{manifest.id}-{manifest.version}"
        with database.begin() as connection:
            model = register(
                connection,
                manifest,
                digest,
                tmp_path,
                SCIENTIST,
                code_accepted=False,
                reference={},
            )
            for step in WAY[state]:
                if model.state == step:
                    continue
                model = move(
                    connection,
                    manifest.id,
                    manifest.version,
                    ModelState(step),
                    SCIENTIST,
                    reason="tried in a test",
                    pilot=pilot if step == "pilot" else None,
                )
        return model

    return run
