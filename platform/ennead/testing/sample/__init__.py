"""A tiny specialty package for tests: finds what is brighter than a threshold on CT.

What the series' description says decides how it behaves (``raise``, ``crash``, ``slow``,
``hungry``, ``undeclared``, ``random``, ``decline``), so that every way a package can go wrong
can be tried.
"""

from __future__ import annotations

from pathlib import Path

from ennead.plugins import DiscoveredPackage, read_manifest


def sample_package() -> DiscoveredPackage:
    """The package as discovery would find it."""
    folder = Path(__file__).parent
    manifest, digest = read_manifest(folder / "package.toml")
    return DiscoveredPackage(manifest.id, manifest, digest, folder, "ennead")
