"""The tutorials, followed to the letter."""

import os
import sys
from pathlib import Path

import pytest

from ennead.testing.ports import free_port
from ennead.testing.tutorial import follow

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs" / "tutorial"


def test_add_a_model(tmp_path: Path) -> None:
    ports = {"8050": str(free_port()), "11112": str(free_port())}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": programs, "NO_PROXY": "127.0.0.1", "ENNEAD_RAY__CPUS": "2"}
    done = follow(DOCS / "add-a-model.md", tmp_path, environment=environment, replace=ports)
    assert done > 25
    assert "Traceback" not in (tmp_path / "server.log").read_text()
