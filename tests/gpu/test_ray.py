"""Starting Ray quietly, in short paths, with our own signals."""

import signal
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


@pytest.mark.slow
def test_start_compute_notice_death(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    options = {"cpus": 1, "object_store_bytes": 100 * 1024**2}
    runtime = RayRuntime(Settings.load(tmp_path / "home", ray=options))
    assert not runtime.is_alive()
    runtime.start()
    try:
        assert runtime.is_alive()
        assert runtime.cpus == 1.0
        assert signal.getsignal(signal.SIGTERM) is before
        assert {"raylet", "gcs_server"} <= runtime.process_ids().keys()
        token = tmp_path / "home" / "run" / "ray-token"
        assert token.stat().st_mode & 0o077 == 0
    finally:
        runtime.stop()
    assert not runtime.is_alive()
