"""An interactive function asks an active model; its answer's identity and report say so."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ennead.contracts import Volume
from ennead.findings import Refusal, RefusalCode
from ennead.geometry import Grid
from ennead.identifiers import JobID, SeriesUID, StudyUID
from ennead.interaction import FunctionContext
from ennead.settings import Settings
from ennead.testing.sample import sample_package
from ennead_models.records import InstalledModel
from ennead_pipelines.functions import execute
from ennead_pipelines.functions.ask import find_function
from ennead_pipelines.functions.requests import CallRequest
from ennead_pipelines.networks.as_package import as_package
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.packages import PackageState
from ennead_pipelines.run.requests import Loaded, MeasureRequest


@pytest.fixture
def asking() -> Any:
    found = sample_package()
    assert found.manifest is not None
    return replace(found, manifest=found.manifest.model_copy(update={"models": ["bright>=1"]}))


def test_the_models_of_a_function(asking: Any, install: Callable[..., InstalledModel]) -> None:
    function = asking.manifest.function[0].id
    shadow = as_package(install("shadow"))
    states = [PackageState(asking, True), PackageState(shadow, True)]
    assert find_function(states, "sample", function).models == {}
    active = as_package(install("active"))
    states = [PackageState(asking, True), PackageState(active, True)]
    assert find_function(states, "sample", function).models == {"bright": active.digest}


def test_a_function_asks(
    asking: Any,
    install: Callable[..., InstalledModel],
    settings: Settings,
    opened: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = asking.manifest.function[0]
    axes = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    grid = Grid((4, 4, 4), (0, 0, 0), axes, (1.0, 1.0, 1.0), "1.9")  # type: ignore[arg-type]
    values = np.full(grid.shape, 100, np.float32)
    volume = Volume(values, grid, StudyUID("1"), SeriesUID("2"), "CT", (), {})
    seen: list[bool] = []

    def function(context: FunctionContext) -> list[Refusal]:
        seen.append(bool(context.models["bright"](context.volume).mask("bright").all()))
        return [Refusal(RefusalCode.NOT_FOUND, "", "refusal.nothing", {"limit_hu": 1})]

    monkeypatch.setattr(execute, "load_function", lambda *_: function)
    monkeypatch.setattr(execute, "typed_inputs", lambda *_: {})
    request = CallRequest(
        measure=MeasureRequest(
            job_id=JobID("j"),
            study_uid=StudyUID("1"),
            manifest=asking.manifest,
            manifest_digest=asking.digest,
            input_digest="i",
            parameters_digest="p",
            inputs=(rule.series,),
            shared=False,
            declined=(),
            thresholds={},
            organisation="",
            seg_encoding="labelmap",
            at=dt.datetime.now(dt.UTC),
            models=(ModelSource.of(install("active"), settings),),
        ),
        function=rule.id,
        inputs={},
    )
    answer = execute.call(request, Loaded(volume, (), 0.0), lambda *_: None)
    assert seen == [True]
    assert answer.said["model.bright.weights"] == "sha256:" + "0" * 64
    assert answer.said["model.bright.precision"] == "fp32"
