"""A whole server as a subprocess, for tests that need one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ennead.errors import ServiceError

if TYPE_CHECKING:
    import httpx

_READY_WITHIN_S: Final = 60.0


class Instance:
    """``ennead serve`` on free ports, with an admin token.

    Parameters
    ----------
    home : Path
        Kept between :meth:`kill` and :meth:`restart`.
    values : mapping
        Settings as environment names without ``ENNEAD_``: ``{"pipelines__quiet_s": 1}``.
    arguments : sequence of str
        More of the command line: ``["--only", "web"]``.

    Attributes
    ----------
    base_url, dicom_port, token
        Set by :meth:`start`; ports stay the same over restarts.
    log_path : Path
        Everything the server wrote.
    """

    def __init__(
        self,
        home: Path,
        values: Mapping[str, object] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.home = home
        self._arguments = arguments
        self.base_url = ""
        self.dicom_port = 0
        self.token = ""
        self.log_path = home.parent / f"{home.name}.log"
        self._http_port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None
        own = {f"ENNEAD_{name.upper()}": str(value) for name, value in (values or {}).items()}
        self._environment = {**os.environ, **own}

    @property
    def pid(self) -> int:
        """Process id of the supervisor; it leads its own process group."""
        assert self._process is not None
        return self._process.pid

    @property
    def client(self) -> httpx.Client:
        """An HTTP client that carries the token and knows the base address."""
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                base_url=self.base_url,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=60,
                trust_env=False,
            )
        return self._client

    def start(self, *, wait: bool = True) -> None:
        """Start the server and wait until ``/readyz`` says that it serves."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        instance_file = self.home / "run" / "instance.json"
        instance_file.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *_ennead("serve", "--home", str(self.home), "--accept-any-ae"),
                    *("--http-port", str(self._http_port), "--dicom-port", str(self.dicom_port)),
                    *self._arguments,
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        facts = self._wait_for("its ports", lambda: _read(instance_file))
        self._http_port, self.dicom_port = facts["http_port"], facts["dicom_port"]
        self.base_url = f"http://127.0.0.1:{self._http_port}"
        if wait:
            self.wait_ready()
        if not self.token:
            self.token = self.run("token", "--role", "admin", "--name", "test").strip()

    def wait_ready(self) -> dict[str, Any]:
        """Wait for readiness; returns what ``/readyz`` says."""
        return self._wait_for("readiness", self._readiness)

    def run(self, *arguments: str) -> str:
        """Run another ``ennead`` command on the same home; returns its standard output."""
        done = subprocess.run(
            [*_ennead(*arguments), "--home", str(self.home)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise ServiceError(f"ennead {arguments[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def kill(self) -> None:
        """``kill -9`` of the supervisor, as a power cut would; its processes must follow."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 60.0) -> int:
        """SIGTERM and wait for the drain; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout_s)

    def restart(self) -> None:
        """Stop if running, and start again on the same ports and home."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self.start()

    def logs(self) -> str:
        """What the server wrote so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End everything that was started, however it stands."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._process is None:
            return
        if self._process.poll() is None:
            try:
                self.stop(timeout_s=30)
            except subprocess.TimeoutExpired:
                self.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _readiness(self) -> dict[str, Any] | None:
        import httpx

        try:
            answer = httpx.get(f"{self.base_url}/readyz", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return None
        body: dict[str, Any] = answer.json()
        return body if answer.status_code == 200 else None

    def _wait_for(self, what: str, look: Any) -> dict[str, Any]:
        assert self._process is not None
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = look()
            if found is not None:
                return found
            if self._process.poll() is not None:
                raise ServiceError(
                    f"ennead serve ended with {self._process.returncode}: {self.logs()[-3000:]}"
                )
            time.sleep(0.1)
        raise ServiceError(f"no {what} within {_READY_WITHIN_S} s: {self.logs()[-3000:]}")


def _ennead(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ennead.cli", *arguments]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return facts
