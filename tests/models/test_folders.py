"""Models are found in folders; a broken one is a value beside the others."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ennead.errors import ModelError, ModelManifestInvalid
from ennead.settings import Settings
from ennead.testing.models import model_data
from ennead_models.folders import discover_models, find_model, version_key
from ennead_models.manifest.write import to_toml


def add(root: Path, folder: str, **changes: Any) -> Path:
    made = root / folder
    (made / "reference").mkdir(parents=True)
    (made / "reference" / "case01.npz").write_bytes(b"")
    (made / "CARD.md").write_text("card")
    (made / "model.toml").write_text(to_toml(model_data(**changes)))
    return made


def found(settings: Settings) -> list[Any]:
    return [m for m in discover_models(settings) if m.source != "shipped"]


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path / "home", models={"folders": [str(tmp_path / "more")]})


def test_home_and_setting_are_looked_through(plain: Settings, tmp_path: Path) -> None:
    add(tmp_path / "home" / "models", "bright/1.10.0", version="1.10.0")
    add(tmp_path / "home" / "models", "bright/1.9.0", version="1.9.0")
    add(tmp_path / "more", "dark", id="dark")
    seen = [(m.id, m.version, m.source, m.error) for m in found(plain)]
    assert seen == [
        ("bright", "1.9.0", "home", ""),
        ("bright", "1.10.0", "home", ""),
        ("dark", "1.0.0", "setting", ""),
    ]
    assert find_model(plain, "bright").version == "1.10.0"
    assert find_model(plain, "bright", "1.9.0").version == "1.9.0"


def test_a_broken_model_does_not_hide_the_others(plain: Settings, tmp_path: Path) -> None:
    add(tmp_path / "more", "bright")
    add(tmp_path / "more", "other", id="other", schema=7)
    states = {m.id: m.error for m in found(plain)}
    assert states["bright"] == ""
    assert "schema 7" in states["other"]
    with pytest.raises(ModelManifestInvalid, match="schema 7"):
        find_model(plain, "other")


def test_the_same_model_twice_counts_once(plain: Settings, tmp_path: Path) -> None:
    folder = add(tmp_path / "more", "bright")
    shutil.copytree(folder, tmp_path / "home" / "models" / "bright")
    (only,) = found(plain)
    assert only.source == "home"


def test_one_version_with_two_contents_is_refused(plain: Settings, tmp_path: Path) -> None:
    add(tmp_path / "more", "bright")
    add(tmp_path / "home" / "models", "bright", title__en="Changed silently")
    first, second = found(plain)
    assert str(tmp_path / "more") in first.error or str(tmp_path / "more") in second.error
    assert not first.usable
    assert not second.usable


def test_an_absent_model_says_which_are_there(plain: Settings, tmp_path: Path) -> None:
    add(tmp_path / "more", "bright")
    with pytest.raises(ModelError, match=r"No model 'dark' is found here; found are: .*bright 1"):
        find_model(plain, "dark")


def test_versions_sort_by_number() -> None:
    assert sorted(["1.10.0", "1.9.0", "x"], key=version_key) == ["x", "1.9.0", "1.10.0"]


def test_discovery_loads_no_network_library(tmp_path: Path) -> None:
    code = (
        "import sys; from ennead.settings import Settings;"
        "from ennead_models.folders import discover_models;"
        "discover_models(Settings.load('home'));"
        "print({'torch', 'onnxruntime', 'monai', 'pydicom', 'ray'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert output.stdout.strip() == "set()"
