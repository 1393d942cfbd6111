"""The tutorial on packages, followed to the letter."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ennead.testing.ports import free_port
from ennead.testing.tutorial import follow

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "add-a-package.md"


def environment_of(site: Path) -> dict[str, str]:
    """pip installs into a folder of the test, from what is here."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "PIP_TARGET": str(site),
        "PIP_UPGRADE": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads a negative option's variable as its value
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NO_PROXY": "127.0.0.1",
        "ENNEAD_RAY__CPUS": "2",
    }


def test_add_a_package(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    folder = tmp_path / "work"
    folder.mkdir()
    ports = {"8050": str(free_port()), "11112": str(free_port())}
    done = follow(PAGE, folder, environment=environment_of(site), replace=ports)
    assert done > 25
    assert "Traceback" not in (folder / "server.log").read_text()
