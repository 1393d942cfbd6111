"""What a Ray worker needs to open a model: data only, found again on any machine of the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ennead.settings import Settings
from ennead_models.manifest import ModelManifest
from ennead_models.records import InstalledModel


@dataclass(frozen=True, slots=True)
class ModelSource:
    """An installed version and where its weights lie.

    Parameters
    ----------
    weights_dir : Path
        The store of weights, by SHA-256.
    code_accepted : bool
        Somebody agreed to run the code that the model's files hold.
    threads : int
        On processors; 0 takes what the manifest asks for.
    """

    manifest: ModelManifest
    digest: str
    weights_dir: Path
    limit_bytes: int
    code_accepted: bool
    threads: int = 0

    @classmethod
    def of(cls, model: InstalledModel, settings: Settings) -> ModelSource:
        """The source of an installed version."""
        return cls(
            model.manifest,
            model.digest,
            settings.weights_dir,
            settings.models.weights_limit_bytes,
            model.code_accepted,
            settings.models.threads,
        )

    @property
    def name(self) -> str:
        """Id and version, for texts."""
        return f"{self.manifest.id} {self.manifest.version}"
