"""A file and some answers become a model that installs."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from ennead.database import Database
from ennead.errors import Conflict, InputError, ModelManifestInvalid, ReferenceCaseFailed
from ennead.security import SYSTEM
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead_models.cases import read_case, write_case
from ennead_models.folders import find_model
from ennead_models.install import install, weights_store
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import read_model
from ennead_models.predict import Prediction
from ennead_models.spaces import ras_affine
from ennead_models.testing.folders import bright_box, small_grid
from ennead_models.wizard.answers import parse_answers
from ennead_models.wizard.build import Build, build_folder, unanswered
from ennead_models.wizard.contract import read_contract
from ennead_models.wizard.prepare import prepare

Given = Callable[[str], tuple[Path, dict[str, Any]]]


@pytest.fixture
def build(given: Given, tmp_path: Path) -> Callable[..., Path]:
    def run(settings: Settings, runner: str = "onnx", changes: Any = None, **more: Any) -> Path:
        source, said = given(runner)
        prepared = prepare(source, source.parent / "work", 10**8)
        contract = read_contract(prepared)
        answers = parse_answers(contract.suggestions, {**said, **(changes or {})})
        root = more.pop("root", settings.home / "models")
        return build_folder(
            Build(prepared, contract, answers, weights_store(settings), root, **more)
        )

    return run


@pytest.mark.parametrize("runner", ["onnx", "torchscript", "monai-bundle", "nnunet"])
def test_each_kind_becomes_an_installed_model(
    build: Callable[..., Path], runner: str, settings: Settings, database: Database
) -> None:
    folder = build(settings, runner)
    version = "0.1.0" if runner == "monai-bundle" else "1.0.0"
    assert folder == settings.home / "models" / "bright_ct" / version
    case = read_case(folder / "reference" / "case01.npz")
    assert case.labels is not None
    assert set(np.unique(case.labels)) == {0, 1}
    assert ((case.labels == 1) == (case.values > 0)).mean() > 0.97
    model = install(
        settings, database, find_model(settings, "bright_ct"), SYSTEM, licence_accepted=True
    )
    assert model.state is ModelState.REGISTERED
    assert model.manifest.runner == runner
    assert model.folder == folder


def test_the_card_says_what_was_said_and_what_was_not(
    build: Callable[..., Path], plain: Settings
) -> None:
    folder = build(plain, changes={"limits": ["slices over 3 mm"], "owners": ["@ai-team"]})
    card = (folder / "CARD.md").read_text()
    for said in (
        "**research**",
        "no regulatory clearance",
        "* slices over 3 mm",
        "* @ai-team",
        "### Development data\n\nNot stated.",
        "a synthetic phantom (no anatomy)",
        "SCT:10200004 Liver",
        "UNVERIFIED",
    ):
        assert said in card


def test_a_folder_to_give_away_brings_its_weights_and_test(
    build: Callable[..., Path], plain: Settings, tmp_path: Path
) -> None:
    folder = build(plain, root=tmp_path / "out", keep_weights=True)
    manifest, _ = read_model(folder)
    assert (folder / manifest.weights.file).stat().st_size == manifest.weights.size_bytes
    runpy.run_path(str(folder / "test_model.py"))["test_reference_case"]()
    case = read_case(folder / "reference" / "case01.npz")
    assert case.labels is not None
    other = np.where(case.values > 500, 1, 0).astype(np.uint16)
    write_case(folder / "reference" / "case01.npz", case.values, case.grid, Prediction(other))
    with pytest.raises(ReferenceCaseFailed, match="dice"):
        runpy.run_path(str(folder / "test_model.py"))["test_reference_case"]()


def test_a_sample_in_dicom_or_nifti(
    build: Callable[..., Path], plain: Settings, tmp_path: Path
) -> None:
    values, grid = bright_box(small_grid()), small_grid()
    write_series(values, grid, tmp_path / "series")
    (tmp_path / "series" / "notes.txt").write_text("not an image")
    image = nibabel.Nifti1Image(values.T, ras_affine(grid))
    nibabel.save(image, tmp_path / "sample.nii.gz")
    seen = []
    for version, sample in (("1.0.0", "series"), ("1.0.1", "sample.nii.gz")):
        folder = build(plain, changes={"version": version}, sample=tmp_path / sample)
        case = read_case(folder / "reference" / "case01.npz")
        assert np.array_equal(case.labels, values > 0)
        assert case.grid.same_as(grid, tolerance_mm=1e-3)
        seen.append(case.values)
    assert np.array_equal(*seen)


def test_a_sample_of_another_modality_is_refused(
    build: Callable[..., Path], plain: Settings, tmp_path: Path
) -> None:
    write_series(bright_box(small_grid()), small_grid(), tmp_path / "series")
    with pytest.raises(InputError, match="holds no images of MR"):
        build(plain, changes={"modality": ["MR"]}, sample=tmp_path / "series")
    assert not list((plain.home / "models").glob("**/model.toml"))


def test_a_model_that_finds_nothing_needs_another_sample(
    build: Callable[..., Path], plain: Settings, tmp_path: Path
) -> None:
    write_series(bright_box(small_grid(), -200.0), small_grid(), tmp_path / "series")
    with pytest.raises(ReferenceCaseFailed, match="finds nothing in a given sample"):
        build(plain, sample=tmp_path / "series")


def test_open_questions_are_named(given: Given, tmp_path: Path, plain: Settings) -> None:
    source, _ = given("onnx")
    prepared = prepare(source, tmp_path / "work", 10**8)
    contract = read_contract(prepared)
    answers = parse_answers(contract.suggestions, {"modality": ["CT"]})
    assert unanswered(contract, answers) == [
        "title_vi",
        "summary_en",
        "summary_vi",
        "licence",
        "orientation",
        "intensity",
        "labels",
    ]
    store = weights_store(plain)
    with pytest.raises(InputError, match="title_vi, summary_en"):
        build_folder(Build(prepared, contract, answers, store, tmp_path / "out"))


def test_wrong_answers_name_the_broken_rule(
    build: Callable[..., Path], plain: Settings, given: Given
) -> None:
    with pytest.raises(ModelManifestInvalid, match="twice"):
        build(plain, changes={"orientation": "RRS"})
    with pytest.raises(InputError, match=r"overlap.*less than 1"):
        parse_answers({}, {"overlap": 3})
    with pytest.raises(InputError, match="color"):
        parse_answers({}, {"color": "red"})


def test_a_version_is_written_once(build: Callable[..., Path], plain: Settings) -> None:
    build(plain)
    with pytest.raises(Conflict, match="Give another version"):
        build(plain)
