"""Imports: finding a package costs nothing, and its code stays inside its contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ennead_pipelines.quality.sources import Sources

#: What a package may not reach; the sandbox would stop it, and its results could not be trusted.
FORBIDDEN = (
    "ennead_pacs",
    "ennead_pipelines",
    "ennead_models",
    "ennead_gpu",
    "ennead_ris",
    "ennead.app",
    "ennead.database",
    "ennead.security",
    "ennead.events",
    "ennead.cli",
)


def light_discovery(sources: Sources) -> Iterator[str]:
    """``__init__.py`` imports the standard library at most."""
    if sources.name not in sources.modules:
        yield f"{sources.name}/__init__.py is absent: the package cannot be found"
        return
    for name, at_top in sources.imports(sources.name):
        if at_top and name.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{sources.name}/__init__.py imports {name}; import it where it is used"


def contract_only(sources: Sources) -> Iterator[str]:
    """No module imports a room of the platform."""
    for module in sources.modules:
        for name, _ in sources.imports(module):
            if any(name == room or name.startswith(f"{room}.") for room in FORBIDDEN):
                yield f"{module} imports {name}; a package has ennead's contracts alone"
