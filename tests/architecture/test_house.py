"""The guards of the house: traps of ``platform/``, layers, and what must not be loaded."""

import ast
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOMES = [
    "platform",
    "gpu",
    "models",
    "pacs_core",
    "pipelines",
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "packages").glob("*") if p.is_dir()),
]


def sources() -> list[Path]:
    return [
        p for home in HOMES for p in (ROOT / home).rglob("*.py") if "node_modules" not in p.parts
    ]


def test_stdlib_platform_is_not_shadowed() -> None:
    assert platform.system()
    assert ROOT not in Path(platform.__file__).parents


def test_platform_is_no_python_package_and_holds_no_tests() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert not list((ROOT / "platform").glob("ennead/**/test_*.py"))
    assert not list((ROOT / "platform").glob("ennead/**/conftest.py"))


def test_no_init_under_tests() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_every_specialty_package_folder_is_in_the_wheel() -> None:
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for folder in (ROOT / "packages").glob("*"):
        if folder.is_dir():
            assert f"packages/{folder.name}/ennead_{folder.name}" in listed


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("ennead.cli", {"ray", "pydicom", "numpy", "sqlalchemy"}),
        ("ennead.plugins", {"ray", "pydicom", "torch"}),
        ("ennead_pacs.service", {"ray", "pynetdicom", "torch"}),
        ("ennead_models.service", {"ray", "torch", "monai", "onnxruntime", "pydicom"}),
        ("ennead_pipelines.service", {"ray", "pydicom", "highdicom", "torch"}),
    ],
)
def test_light_modules_load_nothing_heavy(module: str, heavy: set[str], tmp_path: Path) -> None:
    code = f"import sys, {module}; print(' '.join({heavy!r} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert loaded.stdout.split() == []


def test_discovery_imports_no_package(tmp_path: Path) -> None:
    code = (
        "import sys; from ennead.plugins import discover_packages; found = discover_packages();"
        "ids = [p.id for p in found];"
        "print([m for m in sys.modules if any(m.startswith('ennead_' + i) for i in ids)])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert output.stdout.strip() == "[]"


def test_only_the_worker_boundary_catches_everything() -> None:
    """``except: `` and ``except Exception: pass`` hide defects."""
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"bare except in {file}:{node.lineno}"
                silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                broad = isinstance(node.type, ast.Name) and node.type.id in {
                    "Exception",
                    "BaseException",
                }
                assert not (silent and broad), f"silenced exception in {file}:{node.lineno}"


def test_files_stay_readable() -> None:
    """450 lines is a smell that needs a reason; nobody has given one yet."""
    long = {
        str(f.relative_to(ROOT)): n
        for f in sources()
        if (n := len(f.read_text().splitlines())) > 450
    }
    assert long == {}


def test_layers_are_enforced(tmp_path: Path) -> None:
    """The import contracts fail on a deliberate violation."""
    for layer in ("ennead", "ennead_pacs"):
        (tmp_path / layer).mkdir()
    (tmp_path / "ennead" / "__init__.py").write_text("import ennead_pacs\n")
    (tmp_path / "ennead_pacs" / "__init__.py").write_text("")
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_packages = ennead\n    ennead_pacs\n"
        "[importlinter:contract:1]\nname = down\ntype = layers\nlayers = ennead_pacs\n    ennead\n"
    )
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 1
    assert "BROKEN" in result.stdout
