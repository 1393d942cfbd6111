"""Starting Ray quietly, in short paths, with our own signals."""

import subprocess
import sys
from pathlib import Path

import pytest

from ennead.errors import ServiceError
from ennead.settings import Settings
from ennead_gpu.ray import RayRuntime, temporary_directory


def test_the_directory_lies_in_a_short_home(tmp_path: Path) -> None:
    assert temporary_directory(Path("/srv/ennead")) == Path("/srv/ennead/run/ray-0")


def test_a_long_home_gets_a_short_directory_of_its_own() -> None:
    deep = Path("/srv") / ("long" * 20)
    one, two = temporary_directory(deep), temporary_directory(deep / "other")
    assert one != two
    for directory in (one, two, temporary_directory(deep, "12")):
        socket = f"{directory}/session_2026-11-23_09-02-44_123456_4194304/sockets/plasma_store"
        assert len(socket) <= 107


def test_somebody_elses_directory_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    monkeypatch.setattr("ennead_gpu.ray.temporary_directory", lambda *_: link)
    with pytest.raises(ServiceError, match="directory of our own user"):
        RayRuntime(Settings.load(tmp_path / "home")).start()


_SCRIPT = """
import signal, sys
from pathlib import Path
from ennead.settings import Settings
from ennead_gpu.ray import RayRuntime

home = Path(sys.argv[1])
before = signal.getsignal(signal.SIGTERM)
options = {"cpus": 1, "object_store_bytes": 100 * 1024**2}
runtime = RayRuntime(Settings.load(home, ray=options))
assert not runtime.is_alive()
runtime.start()
assert runtime.is_alive()
assert runtime.cpus == 1.0
assert signal.getsignal(signal.SIGTERM) is before
import os, ray, time
assert ray.get(ray.remote(num_cpus=1)(lambda: 6 * 7).remote()) == 42
assert (home / "run" / "ray-token").stat().st_mode & 0o077 == 0
os.kill(runtime.process_ids()["raylet"][0], signal.SIGKILL)
until = time.monotonic() + 10
while runtime.is_alive():
    assert time.monotonic() < until
    time.sleep(0.01)
runtime.kill()
print("noticed", flush=True)
os._exit(0)
"""


@pytest.mark.slow
def test_start_compute_notice_death(tmp_path: Path) -> None:
    # A process of its own: a process has one Ray at most, and this one dies.
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "noticed" in done.stdout
