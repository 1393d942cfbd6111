"""What a Ray worker needs to open a model: data only."""

from __future__ import annotations

from dataclasses import dataclass

from ennead.settings import Settings
from ennead_models.manifest import ModelManifest
from ennead_models.records import InstalledModel
from ennead_models.weights import WeightsStore


@dataclass(frozen=True, slots=True)
class ModelSource:
    """An installed version and where its weights lie.

    Parameters
    ----------
    threads : int
        On processors; 0 takes what the manifest asks for.
    """

    model: InstalledModel
    store: WeightsStore
    threads: int = 0

    @classmethod
    def of(cls, model: InstalledModel, settings: Settings) -> ModelSource:
        """The source of an installed version."""
        store = WeightsStore(settings.weights_dir, settings.models.weights_limit_bytes)
        return cls(model, store, settings.models.threads)

    @property
    def manifest(self) -> ModelManifest:
        """What it is, needs and gives."""
        return self.model.manifest

    @property
    def key(self) -> str:
        """By which an opened model is shared: its identity, and the tile it runs with."""
        tile = "x".join(map(str, self.manifest.resources.tile))
        return f"{self.digest}|{tile}"

    @property
    def digest(self) -> str:
        """Identity: manifest and weights."""
        return self.model.digest
