"""Logs, metrics and spans of a process."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ennead.telemetry import METRICS_VARIABLE, span


def _run(code: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    head = (
        "from ennead import telemetry\n"
        "from ennead.settings import Settings\n"
        f"settings = Settings.load({str(tmp_path)!r})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_log_lines_are_json_with_time_level_and_part(tmp_path: Path) -> None:
    done = _run(
        """
import logging, threading, structlog
telemetry.configure(settings, "dimse-1")
structlog.get_logger("x").info("stored", study_uid="1.2.3", name="Đặng")
thread = threading.Thread(target=lambda: structlog.get_logger("y").warning("from a thread"))
thread.start(); thread.join()
logging.getLogger("library").warning("foreign")
structlog.get_logger("x").debug("too fine")
try:
    secret = "Nguyen Van A"
    raise ValueError("broken")
except ValueError:
    structlog.get_logger("x").exception("failed")
""",
        tmp_path,
    )
    assert done.stdout == ""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [e["event"] for e in lines] == ["stored", "from a thread", "foreign", "failed"]
    assert {e["part"] for e in lines} == {"dimse-1"}
    assert lines[0]["study_uid"] == "1.2.3"
    assert lines[0]["timestamp"].endswith("Z")
    assert "Traceback" in lines[3]["exception"]
    assert "Nguyen" not in done.stderr.replace("secret = ", "")


def test_libraries_do_not_write_element_values(tmp_path: Path) -> None:
    done = _run(
        """
import warnings
telemetry.configure(settings, "dimse")
from pydicom.dataset import Dataset
dataset = Dataset()
dataset.PatientID = "X" * 100
dataset.StudyInstanceUID = "not-a-uid-Nguyen"
""",
        tmp_path,
    )
    assert done.stderr == ""


def test_metrics_of_several_processes_are_added(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    code = """
from prometheus_client import Counter
Counter("ennead_things_total", "x", ("kind",)).labels("a").inc(2)
Counter("library_things_total", "x").inc()
print(telemetry.metrics_text().decode())
"""
    environment = {METRICS_VARIABLE: str(folder)}
    _run(code, tmp_path, **environment)
    done = _run(code, tmp_path, **environment)
    assert 'ennead_things_total{kind="a"} 4.0' in done.stdout
    assert "library" not in done.stdout


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    received: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_reach_the_collector_that_the_settings_name(
    tmp_path: Path, collector: tuple[str, list[bytes]]
) -> None:
    address, received = collector
    _run(
        """
telemetry.configure(settings, "worker")
try:
    with telemetry.span("measure", study_uid="1.2.3"):
        raise ValueError("Nguyen Van A")
except ValueError:
    pass
""",
        tmp_path,
        ENNEAD_TELEMETRY__OTLP_ENDPOINT=address,
    )
    body = b"".join(received)
    assert b"measure" in body and b"1.2.3" in body and b"ValueError" in body
    assert b"Nguyen" not in body


def test_span_works_when_nothing_collects() -> None:
    with span("settle", study_uid="1.2.3") as current:
        current.set_attribute("series", 3)
    with pytest.raises(KeyError), span("settle"):
        raise KeyError
