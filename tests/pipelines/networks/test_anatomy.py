"""An active model finds anatomy for specialty packages, where the site prefers it."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ennead.contracts import AnatomyProvider, Volume
from ennead.database import Database
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.settings import Settings
from ennead_models.records import InstalledModel
from ennead_pipelines.anatomy import assign
from ennead_pipelines.networks import anatomy as module
from ennead_pipelines.networks.anatomy import provider_of, use_models
from ennead_pipelines.networks.lifecycle import InstalledModels
from ennead_pipelines.run.find_anatomy import find_anatomy

LABELS = [
    {"value": n, "id": name, "title": {"vi": name, "en": name}, "type": "SCT:64033007 Kidney"}
    for n, name in ((1, "left_kidney"), (2, "right_kidney"))
]


def volume(modality: str = "CT") -> Volume:
    axes = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    grid = Grid((4, 4, 4), (0, 0, 0), axes, (1.0, 1.0, 1.0))  # type: ignore[arg-type]
    values = np.full(grid.shape, -100, np.float32)
    values[1], values[2] = 60, 120
    return Volume(values, grid, StudyUID("1"), SeriesUID("2"), modality, (), {})


def test_a_model_is_a_provider(
    install: Callable[..., InstalledModel],
    database: Database,
    settings: Settings,
    opened: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_source", module._source)
    assert provider_of("bright") is None
    use_models(InstalledModels(database, 0.0), settings)
    install("shadow", label=LABELS, output__channels=3)
    assert provider_of("bright") is None  # only what is active
    install("active")
    provider = provider_of("bright")
    assert isinstance(provider, AnatomyProvider)
    assert provider.id == "model:bright"
    assert provider.version.startswith("1.0.0+")
    assert provider.structures == ("left_kidney", "right_kidney", "kidneys")
    assert provider.fits(volume()) and not provider.fits(volume("MR"))
    chosen = assign(["kidneys", "body"], volume(), ("model:bright", "classical"))
    assert {name: found[0] for name, found in chosen.items()} == {
        "kidneys": "model:bright",
        "body": "classical",
    }
    travelled = pickle.loads(pickle.dumps(provider))
    found = find_anatomy("model:bright", volume(), travelled).anatomy
    assert np.flatnonzero(found.mask("kidneys").any(axis=(1, 2))).tolist() == [1, 2]
    assert found.mask("left_kidney").sum() == found.mask("right_kidney").sum() == 16
