"""A model on a study: segments with volumes, refusals, classes, and what the results say."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import select

from ennead.contracts import Archive, RunContext, Volume
from ennead.database import Database
from ennead.errors import NotFound
from ennead.findings import Finding, Refusal, RefusalCode, Segment
from ennead.identifiers import SeriesUID, StudyUID
from ennead.plugins import DiscoveredPackage
from ennead.plugins.models import ModelNeed
from ennead.settings import Settings
from ennead.testing.sample import sample_package
from ennead_models.records import InstalledModel
from ennead_pipelines.networks.as_package import as_package
from ennead_pipelines.networks.needs import models_for
from ennead_pipelines.networks.pipeline import ModelPipeline
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.warm import WarmModels
from ennead_pipelines.run.check import checked
from ennead_pipelines.run.requests import JobOutput
from ennead_pipelines.tables import findings

Install = Callable[..., InstalledModel]
Run = Callable[[], list[JobOutput]]
TWO = [
    {
        "value": 1,
        "id": "bright",
        "title": {"vi": "Vùng sáng", "en": "Bright region"},
        "type": "SCT:10200004 Liver",
        "colour": [200, 40, 40],
    },
    {
        "value": 2,
        "id": "brighter",
        "title": {"vi": "Vùng sáng hơn", "en": "Brighter region"},
        "type": "SCT:64033007 Kidney",
        "laterality": "SCT:7771000 Left",
    },
]


@pytest.fixture
def documents(database: Database) -> Callable[[], list[Any]]:
    def read() -> list[Any]:
        with database.read() as connection:
            return list(connection.execute(select(findings.c.document)).scalars())

    return read


@pytest.fixture
def volume(small_volume: Callable[..., Volume]) -> Volume:
    return small_volume()


@pytest.fixture
def small_volume() -> Callable[..., Volume]:
    from ennead.geometry import Grid

    def make(hu: float = 100.0) -> Volume:
        grid = Grid(
            (6, 10, 12),
            (0.0, 0.0, 0.0),
            ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
            (2.0, 1.5, 1.25),
            "1.2.3",
        )
        values = np.full(grid.shape, -1000.0, dtype=np.float32)
        values[1:4, 2:7, 3:7] = hu
        return Volume(values, grid, StudyUID("1.1"), SeriesUID("1.2"), "CT", (), {})

    return make


def results(install: Install, settings: Settings, volume: Volume, **changes: Any) -> list[Any]:
    model = install(**changes)
    package = as_package(model)
    assert package.manifest is not None, package.error
    context = RunContext(volumes={"image": volume})
    found = list(ModelPipeline(ModelSource.of(model, settings)).run(context))
    return checked(found, package.manifest, {"image": volume})


def test_labels_become_segments_with_volumes(
    install: Install, settings: Settings, volume: Volume, opened: Any
) -> None:
    segment, finding = results(install, settings, volume)
    assert isinstance(segment, Segment) and isinstance(finding, Finding)
    assert np.array_equal(segment.mask, volume.values > 50)
    (measured,) = finding.measurements
    assert measured.value == pytest.approx(3 * 5 * 4 * 2.0 * 1.5 * 1.25 / 1000)
    assert (measured.unit.value, measured.concept.value) == ("cm3", "118565006")
    assert measured.method is not None and measured.method.value == "126030"
    assert finding.segment_ids == (segment.id,) == ("bright",)


def test_a_structure_that_is_not_there_is_refused_and_a_lesion_is_absent(
    install: Install, settings: Settings, small_volume: Callable[..., Volume], opened: Any
) -> None:
    volume = small_volume(80.0)  # the second label needs 100
    segment, finding, refusal = results(install, settings, volume, label=TWO, output__channels=3)
    assert (segment.id, finding.id) == ("bright", "bright")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.subject) == (RefusalCode.NOT_FOUND, "brighter")
    lesion = {**TWO[1], "category": "SCT:49755003 Morphologically Abnormal Structure"}
    *_, absent = results(
        install, settings, volume, label=[TWO[0], lesion], output__channels=3, version="1.0.1"
    )
    assert isinstance(absent, Finding)
    assert [q.value for q in absent.qualifiers] == ["absent"]
    assert absent.measurements == ()


@pytest.mark.parametrize(("limit", "absent"), [(0.05, False), (0.2, True)])
def test_a_class_is_a_finding_with_its_probability(
    limit: float,
    absent: bool,
    install: Install,
    settings: Settings,
    volume: Volume,
    opened: Any,
) -> None:
    model = install(
        output={"kind": "classification", "channels": 1, "activation": "sigmoid"},
        input__shape=["16", "16", "16"],
        input__fit="resize",
        label__0__threshold={"default": 0.5, "site_bounds": [0.05, 0.9]},
    )
    context = RunContext(volumes={"image": volume}, thresholds={"bright": limit})
    (finding,) = ModelPipeline(ModelSource.of(model, settings)).run(context)
    assert isinstance(finding, Finding)
    (measured,) = finding.measurements
    assert measured.value == pytest.approx(3 * 5 * 4 / (6 * 10 * 12))
    assert (measured.concept.value, measured.unit.value) == ("122157", "1")
    assert bool(finding.qualifiers) is absent


def test_a_network_is_opened_once_and_the_oldest_is_closed(
    install: Install, settings: Settings, opened: list[Any]
) -> None:
    warm = WarmModels(most=2)
    sources = [
        ModelSource.of(install(id=f"bright{n}", resources__warm_s=900), settings) for n in range(3)
    ]
    for source in (sources[0], sources[0], sources[1], sources[0], sources[2]):
        with warm.use(source) as model:
            assert model.digest == source.digest
    assert (len(opened), warm.opened) == (3, 3)
    assert [model.closed for model in opened] == [False, True, False]
    other = replace(sources[0], model=replace(sources[0].model, digest="sha256:other"))
    with warm.use(other):
        assert len(opened) == 4  # other weights are another network
    warm.close()
    assert all(model.closed for model in opened)


def test_a_rested_network_is_closed(
    install: Install, settings: Settings, opened: list[Any]
) -> None:
    warm = WarmModels()
    tired = ModelSource.of(install(resources__warm_s=0.0), settings)
    other = ModelSource.of(install(id="other"), settings)
    for source in (tired, other):
        with warm.use(source):
            pass
    assert [model.closed for model in opened] == [True, False]


def test_a_model_on_arrival_goes_the_whole_way(
    install: Install,
    send: Callable[..., str],
    settle: Callable[[], None],
    run_jobs: Run,
    archive: Archive,
    job_rows: Callable[[], list[Any]],
    opened: list[Any],
    documents: Callable[[], list[Any]],
) -> None:
    """Active: SEG and SR in the archive; they say which weights, which runtime, trained on what."""
    install("active", label=TWO, output__channels=3, intended_use__trained_on="20 synthetic heads")
    study = send()
    settle()
    (output,) = run_jobs()
    (job,) = job_rows()
    assert (job.package, job.lane, job.state) == ("bright", "active", "done")
    series = {s.modality: s for s in archive.series(study)}  # type: ignore[arg-type]
    assert {series["SEG"].number, series["SR"].number} <= set(range(9800, 9900))
    assert output.sr is not None
    report = dcmread(io.BytesIO(output.sr))
    said = texts_of(report)
    digest = "sha256:" + "0" * 64
    assert f"weights={digest}" in said["111002"]
    assert any(each.startswith("runtime=onnx@") for each in said["111002"])
    assert "precision=fp32" in said["111002"]
    assert "resample=labels_to_source_grid" in said["111002"]
    assert any("20 synthetic heads" in each for each in said["121106"])
    assert codes_of(report, "111000") == {"123110"}
    listed = documents()
    assert {d["intended_use"]["trained_on"] for d in listed} == {"20 synthetic heads"}
    send(seed="next")
    settle()
    run_jobs()
    assert (len(opened), opened[0].asked) == (1, 2)  # warm


def test_versions_run_in_their_lanes(
    install: Install,
    send: Callable[..., str],
    settle: Callable[[], None],
    run_jobs: Run,
    archive: Archive,
    job_rows: Callable[[], list[Any]],
) -> None:
    install("active")
    install("shadow", version="1.1.0")
    study = send()
    settle()
    run_jobs()
    assert {(j.version, j.lane, j.state) for j in job_rows()} == {
        ("1.0.0", "active", "done"),
        ("1.1.0", "shadow", "done"),
    }
    assert sorted(s.modality for s in archive.series(study)) == ["CT", "SEG", "SR"]  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["registered", "validated", "retired"])
def test_other_states_do_not_run(
    state: str, install: Install, send: Any, settle: Any, job_rows: Any
) -> None:
    install(state)
    send()
    settle()
    assert job_rows() == []


@pytest.mark.parametrize(
    ("text", "version", "fits"),
    [
        ("a_model", "0.0.1", True),
        ("a_model>=1.2", "1.10.0", True),
        ("a_model >= 1.2.3", "1.2.2", False),
        ("a_model==1", "1.9.9", True),
        ("a_model==1.0", "1.1.0", False),
    ],
)
def test_needs(text: str, version: str, fits: bool) -> None:
    assert ModelNeed.parse(text).fits(version) is fits
    with pytest.raises(ValueError, match="named"):
        ModelNeed.parse("a_model<2")


class TestPackagesThatAsk:
    """A specialty package with ``models = ["bright>=1.0"]``."""

    @pytest.fixture
    def packages(self) -> Sequence[DiscoveredPackage]:
        found = sample_package()
        assert found.manifest is not None
        asking = found.manifest.model_copy(update={"models": ["bright>=1.0"]})
        return [replace(found, manifest=asking)]

    def test_the_models_digest_enters_the_identity(
        self,
        packages: Sequence[DiscoveredPackage],
        install: Install,
        send: Any,
        settle: Any,
        run_jobs: Run,
        job_rows: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from ennead.testing.sample import pipeline

        asked: list[Any] = []
        run = pipeline.SamplePipeline.run

        def watch(self: Any, context: RunContext) -> Any:
            asked.append(dict(context.models))
            if "bright" in context.models:
                answer = context.models["bright"](context.volumes["ct"])
                assert answer.version == "1.0.0" and answer.mask("bright").any()
                with pytest.raises(NotFound, match="segments no 'liver'"):
                    answer.mask("liver")
            return run(self, context)

        monkeypatch.setattr(pipeline.SamplePipeline, "run", watch)
        study = send()
        settle()
        run_jobs()
        assert asked == [{}]
        (before,) = job_rows()
        install("active")
        send(seed="next")
        settle()
        outputs = run_jobs()
        assert list(asked[-1]) == ["bright"]
        after = [j for j in job_rows() if j.package == "sample" and j.study_uid != study]
        assert [j.models for j in after] == [{"bright": "sha256:bright-1.0.0"}]
        assert after[0].parameters_digest != before.parameters_digest
        said = [texts_of(dcmread(io.BytesIO(o.sr)))["111002"] for o in outputs if o.sr]
        assert any("model.bright.weights=sha256:" + "0" * 64 in each for each in said)

    def test_which_version(self, packages: Sequence[DiscoveredPackage], install: Install) -> None:
        from ennead_pipelines.lanes import Lane

        manifest = packages[0].manifest
        assert manifest is not None

        def known(*models: InstalledModel) -> list[DiscoveredPackage]:
            return [as_package(model) for model in models]

        active, shadow = install("active"), install("shadow", version="1.1.0")
        old = install("active", id="other")
        both = known(active, shadow, old)
        assert models_for(manifest, both, Lane.ACTIVE) == {"bright": active.digest}
        assert models_for(manifest, both, Lane.SHADOW) == {"bright": shadow.digest}
        assert models_for(manifest, known(active), Lane.SHADOW) == {"bright": active.digest}
        assert models_for(manifest, known(shadow), Lane.ACTIVE) == {}
        assert models_for(manifest, known(install("active", version="0.9.0")), Lane.ACTIVE) == {}


def items(dataset: Dataset) -> Any:
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items(item)


def texts_of(report: Dataset) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in items(report):
        if item.ValueType == "TEXT":
            name = item.ConceptNameCodeSequence[0].CodeValue
            found.setdefault(name, set()).add(str(item.TextValue))
    return found


def codes_of(report: Dataset, name: str) -> set[str]:
    return {
        item.ConceptCodeSequence[0].CodeValue
        for item in items(report)
        if item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeValue == name
    }
