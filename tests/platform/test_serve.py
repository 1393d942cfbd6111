"""``ennead serve`` as a whole: ready, restarted, drained, killed, and its errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from ennead.database import Database
from ennead.security import audit, heads
from ennead.settings import Settings
from ennead.testing.instance import Instance

Start = Callable[..., Instance]
#: The other processes have tests of their own; without them a start takes a second.
WEB = ("--only", "web")


def _serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ennead.cli", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def _part(instance: Instance, name: str) -> dict[str, object]:
    body = httpx.get(f"{instance.base_url}/readyz", trust_env=False).json()
    found: dict[str, object] = next(p for p in body["parts"] if p["name"] == name)
    return found


def test_first_start_serves_and_stops_cleanly(running_instance: Start, tmp_path: Path) -> None:
    began = time.monotonic()
    instance = running_instance(arguments=WEB, admin_password="một câu dễ nhớ 7")
    assert time.monotonic() - began < 20
    ready = instance.wait_ready()
    assert ready["status"] in ("ready", "degraded")
    assert any("calling AE" in text for text in ready["warnings"])
    assert "calling AE" in instance.logs()
    assert _part(instance, "web")["state"] == "ready"

    login = httpx.post(
        f"{instance.base_url}/api/v1/session",
        json={"username": "admin", "password": "một câu dễ nhớ 7"},
        trust_env=False,
    )
    assert login.json()["roles"] == ["admin"]
    assert instance.client.get("/api/v1/users").json()["users"][0]["name"] == "admin"
    assert 'ennead_part_ready{part="web",copy="0"} 1' in instance.client.get("/metrics").text
    assert (instance.home.stat().st_mode & 0o077) == 0

    assert instance.stop() == 0
    settings = Settings.load(instance.home, database={"url": _url(instance)})
    database = Database(settings.database_url)
    with database.read() as connection:
        actions = [e.action for e in audit.page(connection)]
        assert actions[0] == "application.stopped"
        assert actions[-1] == "user.added"
        assert {"application.started", "token.created", "login"} <= set(actions)
        assert audit.verify(connection, heads.read(settings)).intact
    database.close()


def _url(instance: Instance) -> str:
    return instance._environment.get("ENNEAD_DATABASE__URL", "")


def test_a_killed_web_process_comes_back_on_the_same_port(running_instance: Start) -> None:
    instance = running_instance(arguments=WEB)
    database = Database(_url(instance) or f"sqlite:///{instance.home}/ennead.sqlite3")
    with database.read() as connection:
        (pid,) = connection.exec_driver_sql("select pid from parts where name = 'web'").one()
    database.close()
    os.kill(pid, signal.SIGKILL)
    # the socket stays open in the supervisor: the request waits instead of being refused
    answer = httpx.get(f"{instance.base_url}/livez", timeout=30, trust_env=False)
    assert answer.status_code == 200
    deadline = time.monotonic() + 20
    while _part(instance, "web")["restarts"] != 1 or _part(instance, "web")["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_killed_supervisor_takes_everything_along_and_starts_again(
    running_instance: Start,
) -> None:
    instance = running_instance(arguments=WEB)
    token = instance.token
    instance.kill()
    deadline = time.monotonic() + 5
    while True:
        try:
            httpx.get(f"{instance.base_url}/livez", timeout=1, trust_env=False)
        except httpx.TransportError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    instance.restart()
    assert instance.token == token
    assert instance.client.get("/api/v1/session").status_code == 200


def test_a_second_supervisor_of_one_home_is_refused(running_instance: Start) -> None:
    instance = running_instance(arguments=WEB)
    second = _serve("--home", str(instance.home), "--http-port", "0", "--dicom-port", "0")
    assert second.returncode == 1
    assert str(instance.pid) in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    for option, setting in (("--http-port", "http.port"), ("--dicom-port", "dicom.port")):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = str(holder.getsockname()[1])
            other = "--dicom-port" if option == "--http-port" else "--http-port"
            done = _serve("--home", str(tmp_path / "h"), option, port, other, "0")
        assert done.returncode == 1
        assert all(word in done.stderr for word in (port, setting, option))
        assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    done = _serve("--home", str(tmp_path / "h"), ENNEAD_HTTP__PORT="seventy")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "http.port" in done.stderr


def test_the_random_password_is_shown_once(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "one", arguments=WEB)
    try:
        instance.start()
        instance.restart()
        assert instance.logs().count("shown this once") == 1
    finally:
        instance.close()


def test_token_before_and_during_the_run(running_instance: Start, tmp_path: Path) -> None:
    instance = running_instance(arguments=WEB)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ennead.cli", "token"),
            *("--home", str(tmp_path / "new"), "--role", "device"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("enn_") and done.stdout.count("\n") == 1
    during = instance.run("token", "--role", "radiologist").strip()
    answer = httpx.get(
        f"{instance.base_url}/api/v1/session",
        headers={"Authorization": f"Bearer {during}"},
        trust_env=False,
    )
    assert answer.json()["roles"] == ["radiologist"]


def test_logs_are_json_lines_without_addresses(running_instance: Start) -> None:
    instance = running_instance(arguments=WEB)
    instance.client.get("/api/v1/nothing?name=Nguyen")
    instance.stop()  # the line follows the answer
    lines = [line for line in instance.logs().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    assert any(e["event"] == "request" and e["status"] == 404 for e in events)
    assert "Nguyen" not in instance.logs()


def test_everything_is_ready_within_twenty_seconds(running_instance: Start) -> None:
    instance = running_instance()
    parts = {p["name"]: p["state"] for p in instance.wait_ready()["parts"]}
    instance.stop()
    logged = [json.loads(line) for line in instance.logs().splitlines() if line.startswith("{")]
    (ready,) = [e for e in logged if e["event"] == "ready"]
    assert ready["after_s"] < 20
    assert parts == {"web": "ready", "dimse": "ready", "worker": "ready"}
