"""The pinned OHIF: fetched alone, checked, trimmed, and given our configuration."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from building import node

PACKAGE = "@ohif/app@3.13.2"
INTEGRITY = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
UNUSED = re.compile(
    r"^(ort/|dicom-microscopy-viewer/|customizations/|_headers|_redirects|serve\.json|google\.js"
    r"|sw\.js|silent-refresh\.html|oidc-client|es6-shim|polyfill|app-config\.js|manifest\.json"
    r"|assets/(apple-touch|android-chrome|mstile|firefox_app|coast|yandex|favicon|browserconfig"
    r"|manifest))|\.map$|\.LICENSE\.txt$"
)
"""Files of ``dist/`` that reading never asks for, and those we write ourselves."""
HEAD_UNUSED = re.compile(r'<link rel="(?:apple-touch[^"]*|yandex[^"]*|manifest|icon[^"]*)"[^>]*>')


def fetch(cache: Path) -> Path:
    """The tarball, from the cache or by ``npm pack`` (never its dependencies)."""
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / "ohif-app-3.13.2.tgz"
    if not archive.exists():
        npm, environment = node.npm()
        subprocess.run(
            [*npm, "pack", PACKAGE, "--silent", "--pack-destination", str(cache)],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
    return archive


def check_integrity(archive: Path) -> None:
    """Refuse a tarball that is not the pinned one.

    Raises
    ------
    SystemExit
        Its SHA-512 differs; the message says what to do.
    """
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha512").digest()
    if "sha512-" + base64.b64encode(found).decode() != INTEGRITY:
        raise SystemExit(
            f"{archive.name} is not the pinned {PACKAGE}: its SHA-512 differs from {INTEGRITY}. "
            f"Remove {archive} and run the build again; do not use it if this repeats."
        )


def unpack(archive: Path, target: Path) -> None:
    """The files of ``dist/`` that reading needs, and the licence."""
    target.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.removeprefix("package/")
            inside = name.removeprefix("dist/")
            if not member.isfile() or ".." in Path(name).parts:
                continue
            if name == "LICENSE":
                inside = "OHIF-LICENSE"
            elif not name.startswith("dist/") or UNUSED.search(inside):
                continue
            source = tar.extractfile(member)
            if source is not None:
                file = target / inside
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as sink:
                    shutil.copyfileobj(source, sink)


def assemble(plain: Path, ours: list[Path], target: Path) -> None:
    """OHIF's files by hard link, ours beside them, and a page that loads both.

    ``ours`` is the folder of ``app-config.js`` and ``preload.txt``, and that of the built module.
    """
    own, built = ours
    known = {f.relative_to(plain) for f in plain.rglob("*") if f.is_file()}
    for name in known - {Path(".integrity"), Path("index.html"), Path("init-service-worker.js")}:
        file = target / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.hardlink_to(plain / name)
    shutil.copytree(built, target / "ennead", dirs_exist_ok=True)
    shutil.copy(own / "app-config.js", target / "app-config.js")
    page = _page((plain / "index.html").read_text(encoding="utf-8"))
    preload = "".join(
        f'<link rel="preload" as="script" href="/{file.name}">'
        for pattern in (own / "preload.txt").read_text().split()
        for file in sorted(target.glob(pattern))
    )
    (target / "index.html").write_text(
        page.replace("</head>", HEAD + preload + "</head>"), encoding="utf-8"
    )


HEAD = (
    '<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/ennead/viewer.css">'
    '<link rel="modulepreload" href="/ennead/viewer.js">'
)
_WORKER = '<script rel="preload" as="script" type="module" src="/init-service-worker.js"></script>'


def _page(page: str) -> str:
    """OHIF's page without its icons, manifest, service worker and name."""
    page = HEAD_UNUSED.sub("", page).replace(_WORKER, "")
    return page.replace("<title>OHIF Viewer</title>", "<title>Ennead</title>")
