"""Build the portal and the viewer into ``platform/web/dist``: ``python platform/web/build.py``.

What is unchanged is skipped. Node comes from the machine when it is new enough, else from a
wheel installed into the running Python.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from building import node, viewer
from building.publish import publish

WEB = Path(__file__).resolve().parent
DIST = WEB / "dist"


def digest_of(files: Iterable[Path]) -> str:
    """One digest over names and bytes of ``files``."""
    whole = hashlib.sha256()
    for file in sorted(files):
        whole.update(str(file).encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def is_done(stamp: Path, digest: str) -> bool:
    """Whether ``stamp`` says that this very input was built already."""
    return stamp.exists() and stamp.read_text() == digest


def npm_run(*scripts: str) -> None:
    """Run scripts of ``package.json``, its dependencies installed as locked."""
    npm, environment = node.npm()
    locked = digest_of([WEB / "package-lock.json"])
    installed = WEB / "node_modules" / ".locked"
    if not is_done(installed, locked):
        _run([*npm, "ci", "--loglevel=error"], environment)
        installed.write_text(locked)
    for script in scripts:
        _run([*npm, "run", "--silent", script], environment)


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        command, cwd=WEB, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr
    )


def build_scripts() -> bool:
    """Type-check and bundle the portal and our part of the viewer; says whether they changed."""
    sources = digest_of(
        [f for f in WEB.iterdir() if f.suffix in (".json", ".ts")]
        + [f for d in ("portal", "viewer", "shared") for f in (WEB / d).rglob("*") if f.is_file()]
    )
    stamp = DIST / ".scripts"
    if is_done(stamp, sources) and (DIST / "portal" / "index.html").exists():
        return False
    npm_run("check", "portal", "viewer")
    stamp.write_text(sources)
    return True


def build_viewer(tarball: Path | None) -> bool:
    """Unpack the pinned OHIF and put our part beside it; says whether it changed."""
    ours = [f for d in ("dist/ennead", "building") for f in (WEB / d).iterdir() if f.is_file()]
    ours += [WEB / "viewer" / "app-config.js", WEB / "viewer" / "preload.txt"]
    sources = digest_of(ours)
    stamp = DIST / ".viewer"
    if is_done(stamp, sources) and (DIST / "viewer" / "index.html").exists():
        return False
    plain = DIST / ".cache" / "ohif"
    if not is_done(plain / ".integrity", viewer.INTEGRITY + viewer.UNUSED.pattern):
        archive = tarball or viewer.fetch(DIST / ".cache")
        viewer.check_integrity(archive)
        shutil.rmtree(plain, ignore_errors=True)
        viewer.unpack(archive, plain)
        (plain / ".integrity").write_text(viewer.INTEGRITY + viewer.UNUSED.pattern)
    viewer.assemble(plain, [WEB / "viewer", DIST / "ennead"], DIST / "viewer")
    stamp.write_text(sources)
    return True


def main() -> None:
    """Build all, compress what is text, and write the table the web server reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewer-tarball", type=Path, help="OHIF tarball that is already here")
    arguments = parser.parse_args()
    DIST.mkdir(exist_ok=True)
    begun = time.monotonic()
    changed = [build_scripts(), build_viewer(arguments.viewer_tarball)]
    if any(changed) or not (DIST / "files.json").exists():
        files = publish(DIST)
        total = sum(f["size"] for f in files.values())
        seconds = time.monotonic() - begun
        print(f"The web is built: {len(files)} files, {total / 1e6:.0f} MB, {seconds:.0f} s.")
    else:
        print("The web is up to date.")


if __name__ == "__main__":
    main()
