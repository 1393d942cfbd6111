"""An interpreter of a package's own: its libraries, and of Ennead only the contracts.

``<home>/environments/<package>`` is an ordinary virtual environment. What its requirements name is
installed into it by pip; below that lies the *floor*: links to Ennead's contracts, to the package
itself, and to this interpreter's numpy for a package that does not ask for another.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ennead.errors import ConfigurationError, ServiceError
from ennead.plugins import DiscoveredPackage
from ennead_pipelines.sandbox.plan import environment_folder

#: What the contracts need.
_NUMPY: Final = ("numpy", "numpy.libs")
_NAME: Final = re.compile(r"^[A-Za-z0-9._-]+")
#: Ennead is linked, never installed a second time.
_OWN: Final = frozenset({"ennead"})


def requirements_of(package: DiscoveredPackage) -> list[str]:
    """What the package needs: ``requirements.txt`` of its folder, else its distribution's own."""
    file = package.folder / "requirements.txt" if package.folder else None
    if file is not None and file.is_file():
        lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
        return [line for line in lines if line and _name(line) not in _OWN]
    try:
        declared = metadata.requires(package.distribution) or []
    except metadata.PackageNotFoundError:
        declared = []
    return [each for each in declared if "extra ==" not in each and _name(each) not in _OWN]


def make_environment(home: Path, package: DiscoveredPackage, *, wheels: Path | None = None) -> Path:
    """Make the package's environment anew; returns its interpreter.

    Parameters
    ----------
    wheels : Path, optional
        Folder of wheels to install from, without any index (for machines without a network).

    Raises
    ------
    ConfigurationError
        The package has no folder.
    ServiceError
        pip cannot install what is asked for; nothing is left behind.
    """
    if package.folder is None:
        raise ConfigurationError(f"Package {package.id!r} has no folder: {package.error}")
    folder = environment_folder(home, package.id)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    wanted = requirements_of(package)
    try:
        _run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], "venv")
        if wanted:
            _install(fresh, wanted, wheels)
        _lay_floor(fresh, package.folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    _point_at(folder)
    return folder / "bin" / "python"


def _install(folder: Path, wanted: Sequence[str], wheels: Path | None) -> None:
    source = ["--no-index", "--find-links", str(wheels)] if wheels else []
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    _run([*command, "--quiet", "--disable-pip-version-check", *source, *wanted], "pip")


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise ServiceError(
            f"{what} could not make the environment: {said}. Name a folder of wheels with --wheels "
            "where there is no network."
        )


def _lay_floor(folder: Path, package: Path) -> None:
    floor = folder / "floor"
    floor.mkdir()
    _link(floor, Path(_location("ennead")))
    _link(floor, package)
    beside = Path(_location("numpy")).parent
    for name in _NUMPY:
        if (beside / name).exists():
            _link(floor, beside / name)


def _point_at(folder: Path) -> None:
    """The floor comes after what was installed: a package's own numpy wins."""
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "zz_ennead_floor.pth").write_text(f"{folder / 'floor'}\n", encoding="utf-8")


def _link(floor: Path, target: Path) -> None:
    (floor / target.name).symlink_to(target, target_is_directory=target.is_dir())


def _location(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent)


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return found.group().lower().replace("_", "-") if found else ""
