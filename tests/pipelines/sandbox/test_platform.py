"""In the sandbox like outside: interactive functions, and questions to models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ennead.contracts import ModelAnswer, RunContext, Volume
from ennead.errors import TensorMismatch
from ennead.findings import Refusal, Segment
from ennead.interaction import FunctionContext, Line, MaskEdit, Point
from ennead.plugins import DiscoveredPackage, read_manifest
from ennead.testing.sample import functions, sample_package
from ennead_pipelines.sandbox import SandboxPlan, Stopped, run_apart

PLAN = SandboxPlan("required", None, "", Path("/nonexistent"))

ASKING = """
import dataclasses
from ennead.findings import Refusal, RefusalCode


class Pipeline:
    def run(self, context):
        volume = context.volumes["ct"]
        known = context.models["bright"](volume)
        changed = dataclasses.replace(volume, values=volume.values + 1)
        said = context.models["bright"](changed)
        try:
            context.models["broken"](volume)
            reason = ""
        except RuntimeError as error:
            reason = str(error)
        yield Refusal(
            RefusalCode.NOT_FOUND,
            "",
            "refusal.nothing",
            {
                "known": int(known.mask("spot").sum()),
                "changed": int(said.labels.sum()),
                "score": known.scores["sure"],
                "reason": reason,
            },
        )
"""


def test_a_function_gives_what_it_gives_in_process(volume: Any) -> None:
    manifest = sample_package().manifest
    assert manifest is not None
    scene: Volume = volume("any")
    place = (-10 + 3 * 1.25, 20 + 2 * 1.5, 30 + 3 * 2.0)
    seed = Point(scene.instance_uids[3], place)
    mask = scene.values > 0
    edited = MaskEdit("1.2.9", 1, "Bright", "1.2.8", np.zeros_like(mask), mask)  # type: ignore[arg-type]
    uid = scene.instance_uids[0]
    contexts: list[tuple[str, dict[str, Any]]] = [
        ("grow", {"how": "well", "seed": seed, "limit_hu": 50.0}),
        ("edit", {"mask": edited}),
    ]
    for name, inputs in contexts:
        context = FunctionContext(volume=scene, inputs=inputs)
        call = f"ennead.testing.sample.functions:{name}"
        apart = run_apart(PLAN, manifest, call, context, method="")
        here = list(getattr(functions, name)(context))
        assert len(apart) == len(here) == 2
        assert isinstance(apart[0], Segment)
        np.testing.assert_array_equal(apart[0].mask, here[0].mask)
        assert apart[1] == here[1]
    assert Line(uid, place, place).length_mm == 0  # of the same contract


@pytest.fixture
def asking(tmp_path: Path) -> DiscoveredPackage:
    folder = tmp_path / "ennead_asking"
    folder.mkdir()
    source = sample_package().folder
    assert source is not None
    text = (source / "package.toml").read_text(encoding="utf-8")
    text = text.replace("ennead.testing.sample.pipeline:SamplePipeline", "ennead_asking:Pipeline")
    (folder / "package.toml").write_text(text, encoding="utf-8")
    (folder / "__init__.py").write_text(ASKING, encoding="utf-8")
    manifest, digest = read_manifest(folder / "package.toml")
    return DiscoveredPackage("sample", manifest, digest, folder, "somebody")


def test_models_answer_from_outside(
    asking: DiscoveredPackage, volume: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene: Volume = volume("any")
    asked: list[bool] = []

    def bright(given: Volume) -> ModelAnswer:
        asked.append(given is scene)
        labels = (given.values > 50).astype(np.uint16)
        return ModelAnswer("bright", "1.0.0", "sha256:0", "", labels, {"spot": 1}, {"sure": 0.25})

    def broken(given: Volume) -> ModelAnswer:
        raise TensorMismatch("two channels are needed")

    manifest, folder = asking.manifest, asking.folder
    assert manifest is not None and folder is not None
    monkeypatch.syspath_prepend(str(folder.parent))
    context = RunContext(volumes={"ct": scene}, models={"bright": bright, "broken": broken})
    plan = SandboxPlan("required", folder, "", Path("/nonexistent"))
    (refusal,) = run_apart(plan, manifest, manifest.pipeline, context)
    assert isinstance(refusal, Refusal)
    assert refusal.values == {
        "known": 60,
        "changed": 60,
        "score": 0.25,
        "reason": "two channels are needed",
    }
    assert asked == [True, False]  # what it knows is named; what it made is sent


def test_a_package_that_cannot_be_imported_says_so(asking: DiscoveredPackage, volume: Any) -> None:
    manifest = asking.manifest
    assert manifest is not None
    plan = SandboxPlan("required", None, "", Path("/nonexistent"))
    with pytest.raises(Stopped) as stopped:
        run_apart(plan, manifest, manifest.pipeline, RunContext(volumes={"ct": volume("any")}))
    assert stopped.value.kind == "error"
    assert "No module named 'ennead_asking'" in stopped.value.trace
