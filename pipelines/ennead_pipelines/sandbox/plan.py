"""Which packages run in the sandbox, and with which interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ennead.plugins import DiscoveredPackage
from ennead.settings import Settings

Mode = Literal["required", "preferred", "off"]

#: Ennead's own distribution and rooms: their code is ours.
OWN_DISTRIBUTION: Final = "ennead"
_OWN_ROOMS: Final = frozenset({"ennead_pipelines", "ennead_models"})


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """How a package's code is run apart.

    Parameters
    ----------
    mode : str
        ``required`` runs nothing where isolation is not complete.
    folder : Path or None
        Of the package, which it may read.
    interpreter : str
        Path of its own interpreter; "" is Ennead's.
    hidden : Path
        The instance's home: never readable, whatever the search path says.
    """

    mode: Mode
    folder: Path | None
    interpreter: str
    hidden: Path


def is_foreign(package: DiscoveredPackage) -> bool:
    """Whether somebody else's distribution brought the package's code."""
    if package.manifest is None:
        return False
    room = package.manifest.pipeline.partition(":")[0].partition(".")[0]
    return package.distribution != OWN_DISTRIBUTION and room not in _OWN_ROOMS


def plan_for(settings: Settings, package: DiscoveredPackage) -> SandboxPlan | None:
    """How to run the package; None runs it in the worker's own process.

    Foreign packages unless the setting is ``off``; Ennead's own when their manifest asks for it;
    and whatever has an interpreter of its own.
    """
    manifest = package.manifest
    if manifest is None:
        return None
    mode: Mode = settings.pipelines.sandbox
    own_interpreter = manifest.runtime.environment == "venv"
    foreign = is_foreign(package) and mode != "off"
    if not (foreign or manifest.runtime.sandbox or own_interpreter):
        return None
    interpreter = ""
    if own_interpreter:
        interpreter = str(environment_folder(settings.home, package.id) / "bin" / "python")
    strict: Mode = "preferred" if mode == "off" else mode
    return SandboxPlan(strict, package.folder, interpreter, settings.home)


def environment_folder(home: Path, package_id: str) -> Path:
    """Where the package's own environment lies."""
    return home / "environments" / package_id
