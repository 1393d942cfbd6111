"""Done when 9: a distribution of its own is discovered, enabled, run and removed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.findings import Finding, Refusal
from ennead.geometry import Grid
from ennead.interaction import ROI, FunctionContext, Point
from ennead.plugins import read_manifest
from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.instance import Instance
from ennead.testing.phantoms import chest_phantom
from ennead.texts import package_texts

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parents[2] / "examples" / "third_party_package"

DISCOVER = """
import json, sys
from ennead.plugins import discover_packages
found = [
    {"id": p.id, "error": p.error, "distribution": p.distribution, "folder": str(p.folder)}
    for p in discover_packages()
]
print(json.dumps({"found": found, "imported": "ennead_example_body" in sys.modules}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built and installed by pip into a folder of its own."""
    base = tmp_path_factory.mktemp("third-party")
    source, target = base / "source", base / "site"
    shutil.copytree(SOURCE, source)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "--quiet", "--target", target, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def discover(folder: Path | None, cwd: Path) -> dict:
    environment = dict(os.environ)
    environment["PYTHONPATH"] = str(folder) if folder else ""
    done = subprocess.run(
        [sys.executable, "-c", DISCOVER],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_found_without_being_imported_and_gone_when_removed(
    installed: Path, tmp_path: Path
) -> None:
    answer = discover(installed, tmp_path)
    [example] = [p for p in answer["found"] if p["id"] == "example_body"]
    assert example["error"] == ""
    assert example["distribution"] == "ennead-example-body"
    assert Path(example["folder"]) == installed / "ennead_example_body"
    assert answer["imported"] is False
    without = discover(None, tmp_path)
    assert [p for p in without["found"] if p["id"] == "example_body"] == []
    assert {p["id"] for p in without["found"]} == {p["id"] for p in answer["found"]} - {
        "example_body"
    }


def test_what_was_installed_is_complete(installed: Path) -> None:
    folder = installed / "ennead_example_body"
    manifest, _ = read_manifest(folder / "package.toml")
    vi, en = (package_texts(folder, language) for language in ("vi", "en"))
    assert vi.keys() == en.keys()
    keys = {rule.text for each in manifest.input for rule in each.require}
    own = {"refusal.no_body", "refusal.empty_region", "refusal.region_leaks"}
    assert keys | own <= vi.keys()


def test_its_functions_measure_what_is_placed(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ball of 10 mm radius at 100 HU in -50 HU, on a grid of 1 mm."""
    monkeypatch.syspath_prepend(str(installed))
    from ennead_example_body import functions

    index = np.indices((41, 41, 41)) - 20
    hu = np.where((index**2).sum(axis=0) <= 100, 100.0, -50.0).astype(np.float32)
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    grid = Grid(hu.shape, (-20.0, -20.0, -20.0), axes, (1.0, 1.0, 1.0), "1.2")
    volume = Volume(hu, grid, "1", "1.1", "CT", tuple(f"1.1.{k}" for k in range(41)), {})

    def answer(name: str, **inputs: Any) -> tuple[dict[str, float], list[str]]:
        results = list(getattr(functions, name)(FunctionContext(volume, inputs)))
        values = {m.id: m.value for r in results if isinstance(r, Finding) for m in r.measurements}
        return values, [r.text_key for r in results if isinstance(r, Refusal)]

    seed = Point("1.1.20", (0.0, 0.0, 0.0))
    values, refused = answer("seeded_region", seed=seed, tolerance=60.0)
    assert refused == []
    assert values["region_volume"] == pytest.approx(4.18879, rel=0.01)
    assert (values["region_mean"], values["region_sd"]) == (100.0, 0.0)
    assert answer("seeded_region", seed=seed, tolerance=300.0) == ({}, ["refusal.region_leaks"])

    # Half of the rectangle lies in the ball's middle plane, half beside it.
    corners = ((0, -5, 0), (0, 5, 0), (20, 5, 0), (20, -5, 0))
    roi = ROI("1.1.20", "rectangle", tuple((x - 0.5, y - 0.5, 0.0) for x, y, _ in corners))
    values, refused = answer("region_hu", roi=roi)
    inside = hu[20, 15:25, 20:40]
    assert values["region_mean"] == pytest.approx(float(inside.mean()), abs=1e-4)
    assert values["region_sd"] == pytest.approx(float(inside.std()), abs=1e-4)
    nothing = ROI("1.1.20", "ellipse", ((0.4, 0.4, 0), (0.6, 0.4, 0), (0.5, 0.3, 0), (0.5, 0.5, 0)))
    assert answer("region_hu", roi=nothing) == ({}, ["refusal.empty_region"])


def test_broken_manifest_is_told_and_stops_nobody(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(installed, broken)
    (broken / "ennead_example_body" / "package.toml").write_text("schema = 99\n")
    answer = discover(broken, tmp_path)
    [example] = [p for p in answer["found"] if p["id"] == "example_body"]
    assert "schema 99" in example["error"]
    others = [p for p in answer["found"] if p["id"] != "example_body"]
    assert others == discover(None, tmp_path)["found"]


def test_enabled_run_and_removed(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    home = tmp_path / "home"
    instance = Instance(home, {"pipelines__quiet_s": 1})
    phantom = chest_phantom("flipped", spacing_mm=2.5)
    attributes = phantom.attributes | {"SliceThickness": 4}
    files = write_series(phantom.values, phantom.grid, tmp_path / "series", **attributes)
    study = journeys.study_uid_of(files)
    try:
        instance.start()
        assert "ok" in instance.run("packages", "enable", "example_body")
        journeys.send(instance, tmp_path / "series")
        [job] = journeys.wait_for_jobs(instance, study, package="example_body")
        assert job["state"] == "done", job
        measured = values_of(instance, study)
        # An elliptic cylinder of 17.6 × 11.9 cm and the height of the stack.
        height_cm = phantom.grid.shape[0] * phantom.grid.spacing_mm[0] / 10
        expected = 3.14159265 * 17.6 * 11.9 * height_cm
        assert measured["body_volume"] == pytest.approx(expected, rel=0.01)

        monkeypatch.delenv("PYTHONPATH")
        instance.stop()
        removed = Instance(home, {"pipelines__quiet_s": 1})
        try:
            removed.start()
            listed = removed.client.get("/api/v1/packages").json()["packages"]
            assert "example_body" not in [p["id"] for p in listed if not p.get("error")]
            assert values_of(removed, study) == measured  # results stay
        finally:
            removed.close()
    finally:
        instance.close()


def values_of(instance: Instance, study: str) -> dict[str, float]:
    found = journeys.findings(instance, study)["findings"]
    return {
        m["id"]: m["value"]
        for f in found
        for m in f["measurements"]
        if f["package"] == "example_body"
    }
