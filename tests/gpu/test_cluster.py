"""A cluster of processes: nodes are judged when they join, and killed in the middle of the work."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ennead.errors import ServiceError
from ennead.settings import Settings
from ennead_gpu.nodes import Passport, code_digest
from ennead_gpu.ray import NodeRoom, RayRuntime


def test_same_code_and_same_storage_are_needed(tmp_path: Path) -> None:
    here = Passport.here(tmp_path)
    assert here.storage and here.code == code_digest() and len(here.code) == 71
    assert here.differs(here, tmp_path) == ""
    assert "Python 3.0" in here.differs(replace(here, python="3.0"), tmp_path)
    assert "other code" in here.differs(replace(here, code="sha256:0"), tmp_path)
    assert "other code" in here.differs(replace(here, version="9.9.9"), tmp_path)
    blind = here.differs(Passport.here(tmp_path / "elsewhere"), tmp_path)
    assert "mount the shared storage there" in blind and str(tmp_path) in blind


def test_excluded_nodes_get_no_task() -> None:
    assert NodeRoom(2.0).placement() == {}
    room = NodeRoom(2.0, excluded=("a1", "b2"))
    wanted = {"label_selector": {"ray.io/node-id": "!in(a1,b2)"}}
    assert room.placement() == wanted
    assert room.options(1.0, 64) == {"num_cpus": 1.0, **wanted}


def test_a_cluster_token_that_is_not_there(tmp_path: Path) -> None:
    ray = {"address": "127.0.0.1:1", "token_file": tmp_path / "none"}
    with pytest.raises(ServiceError, match="ENNEAD_RAY__TOKEN_FILE"):
        RayRuntime(Settings.load(tmp_path / "home", ray=ray)).start()


@pytest.mark.slow
def test_killed_nodes_lose_no_job_and_change_no_result() -> None:
    """Three nodes with a token; one dies in the middle, twice; results as on one machine."""
    command = [sys.executable, "-m", "benchmarks.cluster"]
    done = subprocess.run(
        [*command, "--rounds", "2", "--jobs", "6", "--work-s", "0.3"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rounds = [line for line in done.stdout.splitlines() if line.startswith("round ")]
    assert len(rounds) == 2
    for line in rounds:
        assert "6 ended once" in line and line.endswith("as on one machine"), line
        assert "killed after  0.0 s" not in line
