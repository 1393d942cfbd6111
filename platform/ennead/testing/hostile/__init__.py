"""A package as somebody else's distribution brings it, which does what it may not.

What the series' description says decides what it tries:
see :mod:`ennead.testing.hostile.pipeline`.
"""

from __future__ import annotations

from pathlib import Path

from ennead.plugins import DiscoveredPackage, read_manifest

DISTRIBUTION = "hostile-example"


def hostile_package() -> DiscoveredPackage:
    """The package as discovery would find it."""
    folder = Path(__file__).parent
    manifest, digest = read_manifest(folder / "package.toml")
    return DiscoveredPackage(manifest.id, manifest, digest, folder, DISTRIBUTION)
