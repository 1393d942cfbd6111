"""A package that was replaced while a worker lived is imported afresh."""

from __future__ import annotations

import importlib
import sys

from ennead.plugins import Manifest

#: Manifest digest of each package whose code this process has imported.
_imported: dict[str, str] = {}


def forget_other_versions(manifest: Manifest, digest: str) -> None:
    """Drop the package's modules when they were imported for another manifest."""
    if _imported.get(manifest.id, digest) != digest:
        top = manifest.pipeline.partition(":")[0].partition(".")[0]
        for name in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
            del sys.modules[name]
    importlib.invalidate_caches()
    _imported[manifest.id] = digest
