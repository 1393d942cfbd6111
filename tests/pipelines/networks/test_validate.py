"""A real ONNX network on a labelled set: what is read, what is judged, what is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient

from ennead.database import Database
from ennead.errors import InputError
from ennead.geometry import Grid
from ennead.security import Principal, Role
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead.testing.models import model_data
from ennead_models.lifecycle import ModelState
from ennead_models.manifest import parse_model
from ennead_models.records import InstalledModel
from ennead_models.registry import move
from ennead_models.spaces import ras_affine
from ennead_models.testing.folders import small_grid
from ennead_models.validation.outcome import CaseOutcome
from ennead_models.validation.report import age_group, build_report, digest_of, to_bytes
from ennead_pipelines.networks.labelled import case_truth, case_volume, read_set
from ennead_pipelines.networks.source import ModelSource
from ennead_pipelines.networks.validate import ask_validation, keep_report, validate
from ennead_pipelines.networks.validator import Validator

SCIENTIST = Principal("ds.lan", "Lan", frozenset({Role.DATA_SCIENTIST}))
BOX = (slice(5, 9), slice(4, 9), slice(10, 20))


def save(path: Path, values: np.ndarray, grid: Grid) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(values.T), ras_affine(grid)), path)


def image(bright: bool = True, rows: int = 0) -> np.ndarray:
    values = np.full(small_grid().shape, -700, dtype=np.int16)
    if bright:
        values[5:9, 4 : 9 - rows, 10:20] = 300
    return values


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Four cases: exact, one row too few found, missed, and empty; the last one in DICOM."""
    root, grid = tmp_path / "sets" / "boxes", small_grid()
    truth = np.zeros(grid.shape, dtype=np.uint8)
    truth[BOX] = 1
    save(root / "c1" / "image.nii.gz", image(), grid)
    save(root / "c1" / "labels.nii.gz", truth, grid)
    save(root / "c2" / "image.nii.gz", image(rows=1), grid)
    # The same labels as another program stores them: axes turned and flipped.
    order, flip = (2, 1, 0), (False, True, True)
    turned = np.flip(truth.transpose(order), (1, 2))
    save(root / "c2" / "labels.nii.gz", turned, grid.reordered(order, flip))
    save(root / "c3" / "image.nii.gz", image(bright=False), grid)
    save(root / "c3" / "labels.nii.gz", truth, grid)
    write_series(image(bright=False).astype(np.float32), grid, root / "c4" / "dicom", KVP=120)
    save(root / "c4" / "labels.nii.gz", np.zeros_like(truth), grid)
    (root / "cases.csv").write_text(
        "case,scanner,sex,age\nc1,SIEMENS,F,35\nc2,SIEMENS,M,71\nc3,GE,F,\nc4,GE,M,17\n"
    )
    return root


def test_the_report_of_a_real_network(
    labelled: Path, real_model: Callable[..., InstalledModel], settings: Settings
) -> None:
    source = ModelSource.of(real_model(), settings)
    told: list[tuple[int, int]] = []
    report = validate(source, labelled, "boxes", told=lambda *n: told.append(n))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    (label,) = report["labels"]
    assert (label["cases"], label["missed"], label["false"], label["empty"]) == (4, 1, 0, 1)
    dice = {c["case"]: c["labels"]["bright"]["dice"] for c in report["cases"]}
    assert dice == {"c1": 1.0, "c2": pytest.approx(8 / 9), "c3": 0.0, "c4": None}
    assert label["dice"]["value"] == pytest.approx((1 + 8 / 9 + 0) / 3)
    assert label["dice"]["n"] == 3
    assert (label["hd95_mm"]["n"], label["hd95_mm"]["value"]) == (2, pytest.approx(1.0))
    # The box is 4·5·10 voxels of 8 mm³; the second case lacks one row of five.
    said = [c["labels"]["bright"] for c in report["cases"]]
    assert [s["truth_ml"] for s in said] == pytest.approx([1.6, 1.6, 1.6, 0.0])
    assert [s["found_ml"] for s in said] == pytest.approx([1.6, 1.28, 0.0, 0.0])
    assert label["volume"]["bias"] == pytest.approx((0 - 0.32 - 1.6) / 3)
    assert label["presence"]["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert label["presence"]["specificity"]["value"] == 1.0
    groups = {g["group"]: g for g in label["groups"]["scanner"]}
    assert (groups["SIEMENS"]["n"], groups["GE"]["n"]) == (2, 2)
    assert groups["SIEMENS"]["dice"]["value"] == pytest.approx((1 + 8 / 9) / 2)
    assert [g["group"] for g in label["groups"]["age"]] == ["0–17", "18–39", "60–79", "?"]
    again = validate(source, labelled, "boxes")
    assert digest_of(to_bytes(again)) == digest_of(to_bytes(report))


def test_a_report_lets_a_model_be_validated(
    labelled: Path,
    real_model: Callable[..., InstalledModel],
    settings: Settings,
    database: Database,
    client_of: Callable[..., TestClient],
) -> None:
    model = real_model()
    with database.begin() as connection:
        number = ask_validation(connection, model, "boxes", SCIENTIST)
    report = validate(ModelSource.of(model, settings), labelled, "boxes")
    digest = keep_report(database, number, report, SCIENTIST)
    with database.begin() as connection:
        moved = move(connection, "bright", "1.0.0", ModelState.VALIDATED, SCIENTIST)
    assert moved.state is ModelState.VALIDATED
    client = client_of()
    told = client.get(f"/api/v1/models/bright/1.0.0/validations/{number}").json()
    assert (told["state"], told["report"], told["cases"]) == ("done", digest, 4)
    read = client.get(f"/api/v1/models/bright/validations/{digest}")
    assert digest_of(read.content) == digest
    assert read.json() == json.loads(to_bytes(report))
    assert client.get("/api/v1/models/bright/validations/sha256:0").status_code == 404
    assert client.get("/api/v1/models/bright/1.0.0/validations/77").status_code == 404
    reader = client_of(Role.RADIOLOGIST, "bs.an")
    assert reader.get(f"/api/v1/models/bright/validations/{digest}").status_code == 403


def test_over_http_a_worker_does_it(
    labelled: Path,
    real_model: Callable[..., InstalledModel],
    settings: Settings,
    database: Database,
    app: Any,
    client_of: Callable[..., TestClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_model()
    models = settings.models.model_copy(update={"validation_dir": labelled.parent})
    mine = settings.model_copy(update={"models": models})
    app.state.settings = mine
    client = client_of()
    assert client.get("/api/v1/validation-sets").json() == {"sets": [{"name": "boxes", "cases": 4}]}
    url = "/api/v1/models/bright/1.0.0"
    for name in ("../boxes", "nothing", ""):
        assert client.post(f"{url}/validate", json={"set": name}).status_code == 400
    asked = client.post(f"{url}/validate", json={"set": "boxes"})
    assert asked.status_code == 202, asked.text
    number = asked.json()["id"]
    from ennead_gpu.ray import NodeRoom
    from ennead_pipelines.networks import validate as work

    validator = Validator(mine, database, NodeRoom(2.0))
    monkeypatch.setattr(validator, "_judge", work.judge)  # a task of Ray in tests/journeys
    assert validator.step() and not validator.step()
    told = client.get(f"{url}/validations/{number}").json()
    assert (told["state"], told["done"], told["error"]) == ("done", 4, None)
    # A set that is broken ends as a failure that says why.
    (labelled / "c1" / "labels.nii.gz").unlink()
    number = client.post(f"{url}/validate", json={"set": "boxes"}).json()["id"]
    assert validator.step()
    told = client.get(f"{url}/validations/{number}").json()
    assert (told["state"], told["error"]) == ("failed", "Case c1 has no labels.nii.gz.")


def test_what_is_wrong_with_a_set(labelled: Path) -> None:
    segments = parse_model(model_data(), "test")
    classes = parse_model(
        model_data(
            output={"kind": "classification", "channels": 1, "activation": "sigmoid"},
            input__shape=["16", "16", "16"],
            input__fit="resize",
            label__0__threshold={"default": 0.5, "site_bounds": [0.1, 0.9]},
        ),
        "test",
    )
    assert [c.name for c in read_set(labelled, segments)] == ["c1", "c2", "c3", "c4"]
    with pytest.raises(InputError, match="no class"):
        read_set(labelled, classes)
    table = labelled / "cases.csv"
    table.write_text("case,class\nc1,bright\nc2,\nc3,liver\nc4,\n")
    with pytest.raises(InputError, match="liver, which bright does not know"):
        read_set(labelled, classes)
    table.write_text("case,class\nc1,bright\nc2,\nc3,bright\nc4,\n")
    assert [c.classes for c in read_set(labelled, classes)] == [
        frozenset({"bright"}),
        frozenset(),
        frozenset({"bright"}),
        frozenset(),
    ]
    table.write_text("case,age\nc1,old\n")
    with pytest.raises(InputError, match="must be years"):
        read_set(labelled, segments)
    table.write_text("case,centre\nc1,A\n")
    with pytest.raises(InputError, match="needs the column case"):
        read_set(labelled, segments)
    table.write_text("case\nc9\n")
    with pytest.raises(InputError, match="c9"):
        read_set(labelled, segments)
    table.unlink()
    first = read_set(labelled, segments)[0]
    other = Grid((20, 24, 28), (99.0, 0.0, 0.0), small_grid().axes, (2.0, 2.0, 2.0))
    save(first.labels, np.zeros(other.shape, np.uint8), other)
    with pytest.raises(InputError, match="image's own grid"):
        case_truth(first, case_volume(first).grid)
    with pytest.raises(InputError, match="no folder"):
        read_set(labelled / "nowhere", segments)


def test_the_report_of_a_classifier() -> None:
    manifest = parse_model(
        model_data(
            output={"kind": "classification", "channels": 1, "activation": "sigmoid"},
            input__shape=["16", "16", "16"],
            input__fit="resize",
            label__0__threshold={"default": 0.5, "site_bounds": [0.1, 0.9]},
        ),
        "test",
    )
    said = [(0.9, True, "A"), (0.4, True, "B"), (0.6, False, "A"), (0.1, False, "B")]
    outcomes = [
        CaseOutcome(f"c{n}", scanner, "F", 50.0, {}, {"bright": score}, {"bright": truth})
        for n, (score, truth, scanner) in enumerate(said)
    ]
    report = build_report(manifest, "sha256:m", outcomes, set_name="s", set_digest="sha256:s")
    (found,) = report["classes"]
    assert report["labels"] == []
    assert (found["positives"], found["negatives"]) == (2, 2)
    assert found["auroc"]["value"] == 0.75
    assert found["roc"][0] == [0.0, 0.0, None]
    at = found["at_threshold"]
    assert (at["threshold"], at["true_positive"], at["false_positive"]) == (0.5, 1, 1)
    assert found["calibration"]["n"] == 4
    groups = {g["group"]: g for g in found["groups"]["scanner"]}
    assert groups["A"]["sensitivity"]["value"] == 1.0
    assert groups["A"]["auroc"]["value"] == 1.0
    assert json.loads(to_bytes(report))["classes"][0]["roc"][0][2] is None


@pytest.mark.parametrize(
    ("age", "group"), [(None, "?"), (0.5, "0–17"), (18, "18–39"), (79.9, "60–79"), (80, "80+")]
)
def test_age_groups(age: float | None, group: str) -> None:
    assert age_group(age) == group
