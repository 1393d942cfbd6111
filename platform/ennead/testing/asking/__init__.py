"""A tiny package for tests that asks for everything a run may be given: anatomy, facts, priors."""

from __future__ import annotations

from pathlib import Path

from ennead.plugins import DiscoveredPackage, read_manifest


def asking_package(name: str = "asking") -> DiscoveredPackage:
    """The package as discovery would find it; under another name it is another package."""
    folder = Path(__file__).parent
    manifest, digest = read_manifest(folder / "package.toml")
    renamed = manifest.model_copy(update={"id": name})
    return DiscoveredPackage(name, renamed, f"{digest}-{name}"[:80], folder, "ennead")
