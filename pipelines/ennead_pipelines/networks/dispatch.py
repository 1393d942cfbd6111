"""From the catalogue to what travels to a Ray worker."""

from __future__ import annotations

from collections.abc import Mapping

from ennead.errors import ServiceError
from ennead.plugins import DiscoveredPackage
from ennead.settings import Settings
from ennead_pipelines.networks.as_package import ModelPackage
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.packages import PackageCatalogue


def network_of(package: DiscoveredPackage, settings: Settings) -> ModelSource | None:
    """The model that runs as this package; None for a package with code."""
    if isinstance(package, ModelPackage) and package.model is not None:
        return ModelSource.of(package.model, settings)
    return None


def sources_of(
    models: Mapping[str, str], catalogue: PackageCatalogue, settings: Settings
) -> tuple[ModelSource, ...]:
    """The models that a job was made with, by id.

    Raises
    ------
    ServiceError
        One of them is not in the registry; a version is never taken out of it, so that another
        registry stands where the job was made.
    """
    found = []
    for name, digest in sorted(models.items()):
        package = catalogue.get(name, digest)
        source = network_of(package, settings) if package else None
        if source is None:
            raise ServiceError(f"Model {name} {digest} of this job is not installed here.")
        found.append(source)
    return tuple(found)
