"""The build: the pinned viewer is checked and trimmed; what is unchanged is skipped."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

import pytest

WEB = Path(__file__).parents[3] / "platform" / "web"


@pytest.fixture(autouse=True)
def _building(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(WEB))


def _tarball(path: Path, names: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_tarball_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    from building import viewer

    archive = _tarball(tmp_path / "ohif.tgz", {"package/dist/index.html": b"evil"})
    with pytest.raises(SystemExit, match="SHA-512 differs"):
        viewer.check_integrity(archive)


def test_only_what_reading_needs_is_unpacked(tmp_path: Path) -> None:
    from building import viewer

    archive = _tarball(
        tmp_path / "ohif.tgz",
        {
            "package/LICENSE": b"MIT",
            "package/package.json": b"{}",
            "package/dist/index.html": b"<html>",
            "package/dist/app.bundle.0123456789abcdef.js": b"1",
            "package/dist/ort/ort.wasm": b"x",
            "package/dist/dicom-microscopy-viewer/a.js": b"x",
            "package/dist/assets/apple-touch-icon.png": b"x",
            "package/dist/assets/images/CT-Lung.png": b"1",
            "package/dist/app.bundle.js.map": b"x",
            "package/dist/../../outside.js": b"x",
        },
    )
    viewer.unpack(archive, tmp_path / "plain")
    found = {f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*") if f.is_file()}
    assert found == {
        "ohif.tgz",
        "plain/OHIF-LICENSE",
        "plain/index.html",
        "plain/app.bundle.0123456789abcdef.js",
        "plain/assets/images/CT-Lung.png",
    }


def test_page_loads_ours_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    from building import viewer

    plain, own, built = (tmp_path / n for n in ("plain", "own", "built"))
    for folder in (plain, own, built):
        folder.mkdir()
    (plain / "index.html").write_text(
        '<html><head><link rel="manifest" href="/manifest.json">'
        '<link rel="apple-touch-icon" sizes="57x57" href="/assets/x.png">'
        '<script rel="preload" as="script" type="module" src="/init-service-worker.js"></script>'
        "<title>OHIF Viewer</title></head><body></body></html>"
    )
    (plain / "init-service-worker.js").write_text("")
    (plain / "89.bundle.0123456789abcdef.js").write_text("1")
    (own / "app-config.js").write_text("window.config = 1")
    (own / "preload.txt").write_text("89.bundle.*.js")
    (built / "viewer.js").write_text("export {}")
    viewer.assemble(plain, [own, built], tmp_path / "viewer")
    page = (tmp_path / "viewer" / "index.html").read_text()
    assert '<link rel="preload" as="script" href="/89.bundle.0123456789abcdef.js">' in page
    assert '<link rel="modulepreload" href="/ennead/viewer.js">' in page
    assert "<title>Ennead</title>" in page
    assert not re.search(r"service-worker|manifest|apple-touch|https?://", page)
    assert (tmp_path / "viewer" / "ennead" / "viewer.js").exists()


def test_done_work_is_recognised_by_its_input(tmp_path: Path) -> None:
    from build import digest_of, is_done

    source, stamp = tmp_path / "a.ts", tmp_path / ".stamp"
    source.write_text("1")
    before = digest_of([source])
    assert not is_done(stamp, before)
    stamp.write_text(before)
    assert is_done(stamp, digest_of([source]))
    source.write_text("2")
    assert not is_done(stamp, digest_of([source]))


def test_lock_file_is_complete_and_names_no_host() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    package = json.loads((WEB / "package.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    root = lock["packages"][""]
    assert root["dependencies"] | root["devDependencies"] == wanted
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    for name, entry in lock["packages"].items():
        if name:
            assert "resolved" not in entry
            assert entry["integrity"].startswith("sha512-")
