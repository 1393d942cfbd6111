"""``ennead new package``: what it writes works at once."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from ennead.errors import Conflict, InputError
from ennead.plugins import DiscoveredPackage, read_manifest
from ennead.plugins.quality import RULES
from ennead_pipelines.quality import check_quality
from ennead_pipelines.scaffold.write import MODALITIES, NewPackage, write_package


@pytest.fixture
def forget():
    yield
    for name in [n for n in sys.modules if n.startswith("ennead_begun")]:
        del sys.modules[name]


@pytest.mark.parametrize("modality", MODALITIES)
def test_it_is_bronze_at_once(modality, tmp_path: Path, monkeypatch, forget) -> None:
    new = NewPackage("begun", modality, ["Chest"], "Gói mới", "Begun")
    files = write_package(new, tmp_path / "begun")
    assert all("@@" not in f.read_text(encoding="utf-8") for f in files)
    folder = tmp_path / "begun" / "ennead_begun"
    monkeypatch.syspath_prepend(str(folder.parent))
    importlib.invalidate_caches()
    manifest, digest = read_manifest(folder / "package.toml")
    report = check_quality(DiscoveredPackage("begun", manifest, digest, folder, ""))
    assert report.error == ""
    assert {v.rule: v.outcome for v in report.verdicts} == {
        r.id: "ok" for r in RULES if r.level == "bronze"
    }
    assert (report.reached, report.good) == ("bronze", True)
    assert all(c.passed for c in report.comparisons) and report.comparisons
    assert manifest.input[0].body_part == ["CHEST"]
    assert manifest.title == {"vi": "Gói mới", "en": "Begun"}


def test_its_own_tests_pass_and_its_code_is_clean(tmp_path: Path) -> None:
    root = tmp_path / "begun"
    write_package(NewPackage("begun"), root)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(root / "tests")],
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert tests.returncode == 0, tests.stdout
    assert "3 passed" in tests.stdout
    ruff = Path(sys.executable).parent / "ruff"
    clean = subprocess.run(
        [ruff, "check", "--isolated", "--line-length", "100", "--select", "E,F,UP,B", root],
        capture_output=True,
        text=True,
    )
    assert clean.returncode == 0, clean.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        NewPackage("Begun"),
        NewPackage("1st"),
        NewPackage("a" * 40),
        NewPackage("begun", "PT"),
        NewPackage("begun", title_en='the "best"'),
        NewPackage("begun", body_parts=['CHEST", "HEAD']),
    ],
)
def test_what_cannot_be_a_package(wrong, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write_package(wrong, tmp_path / "begun")
    assert not (tmp_path / "begun").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(Conflict, match="not empty"):
        write_package(NewPackage("begun"), tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["kept"]


def test_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ennead.cli", "new", "package", "begun", "--modality", "mr"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ennead packages check begun" in done.stdout
    assert 'modality = ["MR"]' in (tmp_path / "begun/ennead_begun/package.toml").read_text()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 1
    assert "ENN-0402" in again.stderr
