"""Nothing is installed that is not licensed, pinned, and reproduced here."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from ennead.database import Database
from ennead.errors import (
    Conflict,
    LicenceNotAccepted,
    ModelManifestInvalid,
    ReferenceCaseFailed,
    TensorMismatch,
    WeightsDigestMismatch,
    WeightsMissing,
)
from ennead.security import Principal, Role
from ennead.security.audit import page
from ennead.settings import Settings
from ennead_models.cases import read_case, write_case
from ennead_models.folders import discover_models, find_model
from ennead_models.install import bring_weights, check, install, licence_text, weights_store
from ennead_models.lifecycle import ModelState
from ennead_models.opening import open_installed
from ennead_models.predict import Prediction, predict
from ennead_models.records import InstalledModel, events_of, installed
from ennead_models.registry import note_checked
from ennead_models.spaces import ras_affine
from ennead_models.testing.folders import bright_box, small_grid, write_model_folder

LAN = Principal("lan", "Trần Lan", frozenset({Role.DATA_SCIENTIST}))


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def here(settings: Settings, shelf: Path) -> Settings:
    models = settings.models.model_copy(update={"folders": (shelf,)})
    return settings.model_copy(update={"models": models})


@pytest.fixture
def put(here: Settings, database: Database) -> Callable[..., InstalledModel]:
    def run(licence_accepted: bool = True, **more: Any) -> InstalledModel:
        model = find_model(here, "bright")
        return install(here, database, model, LAN, licence_accepted=licence_accepted, **more)

    return run


def refused(database: Database) -> str:
    with database.read() as connection:
        assert installed(connection) == []
        (entry, *_) = page(connection, action="model.install")
        assert entry.outcome == "failure"
        return entry.detail


def test_installed_models_run_and_keep_their_numbers(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings, database: Database
) -> None:
    write_model_folder(shelf)
    steps: list[str] = []
    model = put(told=steps.append)
    assert model.state is ModelState.REGISTERED
    assert model.folder == here.home / "models" / "bright" / "1.0.0"
    assert not (model.folder / "weights.onnx").exists()  # they lie in the store
    assert [c["what"] for c in model.reference["comparisons"]] == ["dice", "volume_percent"]
    assert all(c["passed"] for c in model.reference["comparisons"])
    assert steps[0] == "licence Apache-2.0 accepted"
    assert steps[2].startswith("ok bright dice 1 ")
    opened = open_installed(model, weights_store(here))
    values, grid = bright_box(small_grid()), small_grid()
    assert predict(opened, values, grid).labels.sum() == 200
    assert put().installed_at == model.installed_at  # again changes nothing
    with database.read() as connection:
        assert len(installed(connection)) == 1


def test_licence_must_be_accepted(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings, database: Database
) -> None:
    folder = write_model_folder(shelf, licence="LicenseRef-x", licence_file="LICENCE.txt")
    (folder / "LICENCE.txt").write_text("Not for sale.")
    with pytest.raises(LicenceNotAccepted, match=r"LicenseRef-x.*--accept-licence"):
        put(licence_accepted=False)
    assert "ENN-0809" in refused(database)
    assert licence_text(find_model(here, "bright")) == "LicenseRef-x\n\nNot for sale."


def test_weights_with_another_digest(
    put: Callable[..., InstalledModel], shelf: Path, database: Database
) -> None:
    folder = write_model_folder(shelf)
    content = bytearray((folder / "weights.onnx").read_bytes())
    content[-5] ^= 1
    (folder / "weights.onnx").write_bytes(content)
    with pytest.raises(WeightsDigestMismatch, match="expected SHA-256"):
        put()
    assert "ENN-0803" in refused(database)


def test_weights_that_were_never_fetched(
    put: Callable[..., InstalledModel], shelf: Path, database: Database
) -> None:
    (write_model_folder(shelf) / "weights.onnx").unlink()
    with pytest.raises(WeightsMissing, match="ennead models fetch bright"):
        put()
    assert "ENN-0802" in refused(database)


def test_a_reference_case_that_does_not_reproduce(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings, database: Database
) -> None:
    write_model_folder(shelf, threshold_hu=-800.0)
    with pytest.raises(ReferenceCaseFailed) as failed:
        put()
    share = 2 * 200 / (200 + 20 * 24 * 28)
    assert f"FAIL bright dice {share:.4g} (expected >= 0.99)" in failed.value.message
    assert "FAIL bright volume_percent 6620 (expected 0 ± 0.5)" in failed.value.message
    assert "ENN-0808" in refused(database)
    assert not (here.home / "models" / "bright").exists()


def test_a_network_of_another_shape(
    put: Callable[..., InstalledModel], shelf: Path, database: Database
) -> None:
    write_model_folder(shelf, input__channels=[{"name": "soft"}, {"name": "bone"}])
    with pytest.raises(TensorMismatch, match="Correct the manifest"):
        put()
    assert "ENN-0807" in refused(database)


def test_an_unknown_schema(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings, database: Database
) -> None:
    write_model_folder(shelf, schema=2)
    with pytest.raises(ModelManifestInvalid, match="schema 2; this version reads 1"):
        put()


def test_a_case_in_which_nothing_is_to_be_found_is_none(
    put: Callable[..., InstalledModel], shelf: Path, database: Database
) -> None:
    write_model_folder(shelf, expected_hu=5000.0)
    with pytest.raises(ReferenceCaseFailed, match="any network would pass"):
        put()


def test_a_folder_of_the_home_is_kept_by_version(
    put: Callable[..., InstalledModel], here: Settings
) -> None:
    """Newer content may take the place of the older; the older version stays."""
    for version in ("1.0.0", "1.1.0"):
        shutil.rmtree(here.home / "models" / "bright" / "reference", ignore_errors=True)
        write_model_folder(here.home / "models", version=version)
        model = put()
        assert model.folder == here.home / "models" / "bright" / version
        assert not list(model.folder.glob("*/model.toml"))
    assert [m.version for m in discover_models(here) if m.source == "home" and not m.error] == [
        "1.0.0",
        "1.1.0",
    ]


def test_one_version_has_one_content(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings, tmp_path: Path
) -> None:
    write_model_folder(shelf)
    put()
    changed = write_model_folder(tmp_path / "other", title__en="Changed")
    (shelf / "bright").rename(shelf / "old")
    changed.rename(shelf / "bright")
    with pytest.raises((Conflict, ModelManifestInvalid), match="new version"):
        put()


def test_what_was_changed_after_installing_is_not_opened(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings
) -> None:
    write_model_folder(shelf)
    model = put()
    file = model.folder / "model.toml"
    file.write_text(file.read_text().replace("Bright region", "Bright regions"))
    with pytest.raises(ModelManifestInvalid, match="was changed after"):
        open_installed(model, weights_store(here))


def test_checked_again_is_written_down(
    put: Callable[..., InstalledModel], shelf: Path, here: Settings, database: Database
) -> None:
    write_model_folder(shelf)
    put()
    comparisons = check(here, find_model(here, "bright"))
    assert all(each.passed for each in comparisons)
    with database.begin() as connection:
        note_checked(connection, "bright", "1.0.0", LAN, {"comparisons": []})
        assert events_of(connection, "bright")[0].action == "checked"
        assert installed(connection)[0].reference == {"comparisons": []}


def test_weights_of_the_folder_need_no_fetch(shelf: Path, here: Settings) -> None:
    write_model_folder(shelf)
    store, model = weights_store(here), find_model(here, "bright")
    bring_weights(model, store)
    assert model.manifest is not None
    assert store.has(model.manifest.weights.sha256)


def test_cases_survive_being_written(tmp_path: Path) -> None:
    values, grid = bright_box(small_grid()), small_grid()
    write_case(tmp_path / "a.npz", values + 0.5, grid, Prediction(scores={"b": 0.25, "a": 1.0}))
    case = read_case(tmp_path / "a.npz")
    assert case.grid.same_as(grid)
    assert np.array_equal(case.values, values + 0.5)
    assert case.scores == {"a": 1.0, "b": 0.25}


def test_cases_may_be_nifti(tmp_path: Path) -> None:
    values, grid = bright_box(small_grid()), small_grid()
    for name, array in (("input", values), ("expected", (values > 0).astype(np.int16))):
        image = nibabel.Nifti1Image(array.T, ras_affine(grid))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    case = read_case(tmp_path)
    assert case.grid.same_as(grid)
    assert case.labels is not None
    assert case.labels.sum() == 200
    (tmp_path / "expected.nii.gz").unlink()
    (tmp_path / "expected.json").write_text('{"scores": {"x": 0.5}}')
    assert read_case(tmp_path).scores == {"x": 0.5}


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_broken_cases_say_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ReferenceCaseFailed, match="cannot be read"):
        read_case(tmp_path / "a.npz")
