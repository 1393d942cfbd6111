"""An interpreter of the package's own, made without a network."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from ennead.contracts import RunContext
from ennead.errors import ServiceError
from ennead.findings import Refusal
from ennead.plugins import DiscoveredPackage, read_manifest
from ennead.settings import Settings
from ennead.testing.hostile import DISTRIBUTION, hostile_package
from ennead_pipelines.sandbox import Stopped, plan_for, run_apart
from ennead_pipelines.sandbox.environments import make_environment, requirements_of
from ennead_pipelines.sandbox.isolation import Isolation, enforced, isolation_of

PIPELINE = """
import sys
import numpy
import ruler
from ennead.findings import Refusal, RefusalCode


class Pipeline:
    def run(self, context):
        heavy = [n for n in ("scipy", "pydicom", "ray", "pydantic") if can_import(n)]
        yield Refusal(
            RefusalCode.NOT_FOUND,
            "",
            "refusal.nothing",
            {
                "length": ruler.LENGTH,
                "prefix": sys.prefix,
                "heavy": str(heavy),
                "slices": len(context.volumes["ct"].values),
            },
        )


def can_import(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
"""


@pytest.fixture
def package(tmp_path: Path) -> DiscoveredPackage:
    """A package in a folder of its own that needs a distribution nobody else has."""
    folder = tmp_path / "site" / "ennead_far"
    folder.mkdir(parents=True)
    source = hostile_package().folder
    assert source is not None
    text = (source / "package.toml").read_text(encoding="utf-8")
    text = text.replace('id = "hostile"', 'id = "far"')
    text = text.replace("ennead.testing.hostile.pipeline:HostilePipeline", "ennead_far:Pipeline")
    text = text.replace("[runtime]\n", '[runtime]\nenvironment = "venv"\n')
    (folder / "package.toml").write_text(text, encoding="utf-8")
    (folder / "__init__.py").write_text(PIPELINE, encoding="utf-8")
    (folder / "requirements.txt").write_text("ennead>=0.1\nruler==2.0  # to measure\n")
    manifest, digest = read_manifest(folder / "package.toml")
    return DiscoveredPackage("far", manifest, digest, folder, DISTRIBUTION)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with the wheel of ``ruler``."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "ruler-2.0.dist-info"
    with zipfile.ZipFile(folder / "ruler-2.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ruler.py", "LENGTH = 30\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ruler\nVersion: 2.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return folder


def test_a_package_with_libraries_of_its_own(
    package: DiscoveredPackage, wheels: Path, settings: Settings, volume: Any, tmp_path: Path
) -> None:
    assert requirements_of(package) == ["ruler==2.0"]
    manifest = package.manifest
    assert manifest is not None
    plan = plan_for(settings, package)
    assert plan is not None
    context = RunContext(volumes={"ct": volume("any")})
    with pytest.raises(Stopped) as stopped:
        run_apart(plan, manifest, manifest.pipeline, context)
    assert stopped.value.kind == "environment"
    with pytest.raises(ServiceError, match="--wheels"):
        make_environment(settings.home, package, wheels=tmp_path)
    assert not Path(plan.interpreter).exists()
    interpreter = make_environment(settings.home, package, wheels=wheels)
    assert str(interpreter) == plan.interpreter
    (refusal,) = run_apart(plan, manifest, manifest.pipeline, context)
    assert isinstance(refusal, Refusal)
    assert refusal.values == {
        "length": 30,
        "prefix": str(settings.home / "environments" / "far"),
        "heavy": "[]",
        "slices": 6,
    }


def test_the_page_says_how_well_a_package_is_isolated(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = hostile_package()
    assert enforced() == {"network": "namespace", "files": "landlock", "processes": "filter"}
    assert isolation_of(settings, package) == Isolation("full")
    lacking = {"network": "filter", "files": "", "processes": "filter"}
    monkeypatch.setattr("ennead_pipelines.sandbox.isolation.enforced", lambda: lacking)
    assert isolation_of(settings, package) == Isolation("reduced", ("files",))
    for mode, state in (("required", "refused"), ("off", "off")):
        pipelines = settings.pipelines.model_copy(update={"sandbox": mode})
        changed = settings.model_copy(update={"pipelines": pipelines})
        assert isolation_of(changed, package).state == state
