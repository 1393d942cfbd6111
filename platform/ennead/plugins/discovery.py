"""Find packages by the entry-point group ``ennead.packages`` (value ``ennead_lung:package.toml``).

Only the location of the top-level module is asked for; nothing is imported. A broken package
becomes a value with its error, and the rest goes on.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ennead.contracts import Pipeline
from ennead.errors import ContractError, ManifestInvalid
from ennead.plugins.manifest import Manifest, read_manifest

GROUP = "ennead.packages"


@dataclass(frozen=True, slots=True)
class DiscoveredPackage:
    """A package as found: with its manifest, or with why it cannot be used.

    Parameters
    ----------
    id : str
        The entry point's name.
    manifest, digest, folder
        None, "" and None when ``error`` is set before they could be read.
    distribution : str
        The distribution that brought it.
    error : str
        What is broken and how to mend it; "" when usable.
    """

    id: str
    manifest: Manifest | None
    digest: str
    folder: Path | None
    distribution: str
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether it may be enabled."""
        return not self.error


def discover_packages() -> list[DiscoveredPackage]:
    """All packages installed here, by id. Never raises for one of them.

    Two distributions offering the same id are both reported broken.
    """
    found: list[DiscoveredPackage] = []
    seen: set[tuple[str, str]] = set()
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        key = (entry.name, entry.value)
        if key not in seen:
            seen.add(key)
            found.append(_read(entry))
    counts: dict[str, int] = {}
    for package in found:
        counts[package.id] = counts.get(package.id, 0) + 1
    return [
        p
        if counts[p.id] == 1
        else DiscoveredPackage(
            p.id,
            p.manifest,
            p.digest,
            p.folder,
            p.distribution,
            f"package id {p.id!r} is offered by {counts[p.id]} distributions; uninstall all but "
            "one",
        )
        for p in found
    ]


def _read(entry: EntryPoint) -> DiscoveredPackage:
    distribution = entry.dist.name if entry.dist else ""
    module, _, file = entry.value.partition(":")
    folder: Path | None = None
    try:
        spec = importlib.util.find_spec(module) if "." not in module else None
        if spec is None or spec.origin is None:
            raise ManifestInvalid(
                f"top-level module {module!r} is not importable; the package's folder is gone or "
                "its entry point is wrong"
            )
        folder = Path(spec.origin).parent
        manifest, digest = read_manifest(folder / (file or "package.toml"))
        if manifest.id != entry.name:
            raise ManifestInvalid(
                f"manifest id {manifest.id!r} must equal the entry point's name {entry.name!r}"
            )
    except Exception as error:  # a third party's file: any failure is its own
        return DiscoveredPackage(entry.name, None, "", folder, distribution, str(error))
    return DiscoveredPackage(entry.name, manifest, digest, folder, distribution)


def load_pipeline(manifest: Manifest) -> Pipeline:
    """Import and build the package's pipeline; done in a worker only.

    Raises
    ------
    ContractError
        The object named by ``pipeline`` does not exist or is not a :class:`Pipeline`.
    """
    module_name, _, attribute = manifest.pipeline.partition(":")
    try:
        pipeline = getattr(importlib.import_module(module_name), attribute)()
    except (ImportError, AttributeError) as error:
        raise ContractError(
            f"pipeline {manifest.pipeline!r} of package {manifest.id!r} cannot be loaded: {error}"
        ) from error
    if not isinstance(pipeline, Pipeline):
        raise ContractError(f"pipeline {manifest.pipeline!r} has no run(context) method")
    return pipeline
