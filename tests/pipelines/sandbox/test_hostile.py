"""What a package tries in the sandbox is refused by the kernel, and told."""

import os
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.contracts import RunContext, Volume
from ennead.findings import Finding, Refusal, Segment
from ennead.testing.hostile.pipeline import bright
from ennead.texts import translate
from ennead_pipelines.run.faults import classify
from ennead_pipelines.sandbox import Stopped
from ennead_pipelines.sandbox.scratch import scratch_folder

Attempt = Callable[..., Any]


def learned(results: Any) -> str:
    (refusal,) = results
    assert isinstance(refusal, Refusal)
    return str(refusal.values["found"])


def test_a_good_package_gives_what_it_gives_in_process(
    attempt: Attempt, volume: Callable[[str], Volume]
) -> None:
    segment, finding = attempt("tidy")
    direct_segment, direct_finding = bright(RunContext(volumes={"ct": volume("tidy")}))
    assert isinstance(segment, Segment) and isinstance(direct_segment, Segment)
    assert finding == direct_finding
    np.testing.assert_array_equal(segment.mask, direct_segment.mask)
    assert (segment.grid, segment.type) == (direct_segment.grid, direct_segment.type)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("dial-past-python", "network"),
        ("fork", "process"),
        ("start", "process"),
        ("eat", "memory"),
        ("eat-shared", "memory"),
        ("fill", "scratch"),
        ("print", "output"),
        ("segfault", "crash"),
        ("leave", "crash"),
        ("too-much", "memory"),
        ("garbage", "garbled"),
        ("unreadable", "contract"),
        ("fail", "error"),
    ],
)
def test_stopped_with_a_reason(attempt: Attempt, what: str, kind: str) -> None:
    with pytest.raises(Stopped) as stopped:
        attempt(what)
    if what == "dial-past-python":  # nothing of Python's saw it: an error of the package's own
        kind = "error"
        assert "PermissionError" in stopped.value.trace or "OSError" in stopped.value.trace
    assert stopped.value.kind == kind, stopped.value
    fault = classify(stopped.value)
    if fault.kind == "fail":
        reason, step = fault.end_keys
        values = {**fault.values, "job": "j", "package": "p"}
        for key in (reason, step):
            for language in ("vi", "en"):
                text = translate(key, language, values)
                assert text != key and "{" not in text


def test_no_connection_leaves_the_machine_or_reaches_it(attempt: Attempt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(Stopped) as stopped:
            attempt(f"dial 127.0.0.1:{server.getsockname()[1]}")
    assert stopped.value.kind == "network"


def test_nothing_is_written_outside_the_scratch_folder(attempt: Attempt, tmp_path: Path) -> None:
    for target in (tmp_path / "file", Path(tempfile.gettempdir()) / "ennead-was-here"):
        with pytest.raises(Stopped) as stopped:
            attempt(f"write {target}")
        assert stopped.value.kind == "write"
        assert not target.exists()
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    with pytest.raises(Stopped) as stopped:
        attempt(f"mode {kept}")
    assert stopped.value.kind == "write"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_what_is_not_its_own_cannot_be_read(
    attempt: Attempt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENNEAD_DATABASE__URL", "postgresql://ennead:secret@db/ennead")
    assert learned(attempt(f"read {home / 'secret'}")) == "PermissionError"
    assert learned(attempt(f"read /proc/{os.getpid()}/environ")) == "PermissionError"
    names = learned(attempt("environment")).split(",")
    assert not [n for n in names if n.startswith(("ENNEAD", "RAY", "AWS"))]
    # standard streams, the request and its mapping, two pipes, the folder that is being listed
    assert len(learned(attempt("descriptors")).split(",")) == 8


def test_the_volume_is_shared_and_read_only(attempt: Attempt) -> None:
    assert learned(attempt("volume")) == "ValueError"


def test_another_process_is_not_killed(attempt: Attempt) -> None:
    with pytest.raises(Stopped) as stopped:
        attempt(f"kill {os.getppid()}")
    assert stopped.value.kind == "process"


def test_processor_and_wall_time(attempt: Attempt) -> None:
    with pytest.raises(Stopped) as stopped:
        attempt("spin", cpu=0.1, timeout_s=15.0)
    assert (stopped.value.kind, stopped.value.values) == ("processor", {"limit_s": 1.5})
    with pytest.raises(Stopped) as stopped:
        attempt("sleep", timeout_s=2.0)
    assert stopped.value.kind == "timeout"
    fault = classify(stopped.value)
    assert (fault.kind, fault.detail_key) == ("retry", "jobs.detail.timeout")


def test_nothing_runs_where_isolation_is_required_and_cannot_be_had(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real message of a kernel without Landlock, from a child that lacks it."""
    from ennead_pipelines.sandbox import host

    script = tmp_path / "child.py"
    original = host._SCRIPT.read_text(encoding="utf-8")
    marker = "from ennead.sandbox import confine, frames, kernel\n"
    assert marker in original
    lacking = marker + "kernel.restrict_files = lambda *_: False\n"
    script.write_text(original.replace(marker, lacking), encoding="utf-8")
    monkeypatch.setattr(host, "_SCRIPT", script)
    with pytest.raises(Stopped) as stopped:
        attempt("tidy", mode="required")
    assert (stopped.value.kind, stopped.value.values) == ("unavailable", {"missing": "files"})
    assert [type(r) for r in attempt("tidy", mode="preferred")] == [Segment, Finding]


def test_scratch_of_killed_runs_is_removed() -> None:
    base = Path(tempfile.gettempdir())
    left = base / "ennead-sandbox-4194999-abc"  # above the largest process id
    left.mkdir(exist_ok=True)
    with scratch_folder() as folder:
        assert folder.is_dir() and not left.exists()
    assert not folder.exists()
