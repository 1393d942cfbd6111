"""Runs the web's own unit tests (vitest) with the rest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[3] / "platform" / "web"


def test_web_units_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (WEB / "node_modules" / "vitest").exists():
        pytest.skip("the web's packages are not installed: make setup")
    monkeypatch.syspath_prepend(str(WEB))
    from building import node

    npm, environment = node.npm()
    ran = subprocess.run(
        [*npm, "run", "--silent", "test"],
        cwd=WEB,
        env=environment | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    found = re.search(r"Tests\s+(\d+) passed", ran.stdout)
    assert found and int(found[1]) >= 40


def test_web_sources_are_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (WEB / "node_modules" / "prettier").exists():
        pytest.skip("the web's packages are not installed: make setup")
    monkeypatch.syspath_prepend(str(WEB))
    from building import node

    npm, environment = node.npm()
    ran = subprocess.run(
        [*npm, "run", "--silent", "format"],
        cwd=WEB,
        env=environment | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
