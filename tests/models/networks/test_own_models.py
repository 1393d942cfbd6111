"""The networks of our own as they ship: manifest, reference case, bundle, the card's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from ennead_models.cases import read_case
from ennead_models.manifest import parse_model, read_model
from ennead_models.predict import OpenedModel, predict
from ennead_models.reference import reproduce
from ennead_models.runners.onnx import open_network
from ennead_models.weights import sha256_of
from head_structures.train import evaluate as head
from head_structures.train.images import read_real
from pet_tumour.train import evaluate as pet
from pet_tumour.train.data import data_folder, read_cases, split

MODELS = Path(head.__file__).parents[2]
OURS = ("head_structures", "pet_tumour")
real = pytest.mark.skipif(not data_folder().exists(), reason="no ../shared/data")


@pytest.fixture(scope="module")
def opened() -> Callable[[str], OpenedModel]:
    """A model of ours, opened once."""
    made: dict[str, OpenedModel] = {}

    def get(name: str) -> OpenedModel:
        if name not in made:
            manifest, digest = read_model(MODELS / name)
            path = MODELS / name / manifest.weights.file
            made[name] = open_network(
                manifest, digest, path, device="cpu", threads=2, code_accepted=False
            )
        return made[name]

    return get


def results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MODELS / name / "results.json").read_text())
    return found


@pytest.mark.parametrize("name", OURS)
def test_manifest_is_valid_and_pins_the_weights(name: str) -> None:
    manifest, _ = read_model(MODELS / name)
    weights = MODELS / name / manifest.weights.file
    assert manifest.weights.sha256 == sha256_of(weights)
    assert manifest.weights.size_bytes == weights.stat().st_size < 8_000_000
    assert manifest.intended_use.trained_on
    assert manifest.intended_use.status == "research"


@pytest.mark.parametrize("name", OURS)
def test_reference_case_reproduces(name: str, opened: Callable[[str], OpenedModel]) -> None:
    comparisons = reproduce(opened(name), MODELS / name)
    assert comparisons
    assert [str(each) for each in comparisons if not each.passed] == []


@pytest.mark.filterwarnings("ignore")  # of MONAI and torch.jit, in the bundle's own code
@pytest.mark.parametrize("name", OURS)
def test_bundle_gives_what_onnx_gives(name: str, opened: Callable[[str], OpenedModel]) -> None:
    from ennead_models.runners import monai_bundle

    manifest, _ = read_model(MODELS / name)
    data = manifest.model_dump(by_alias=True, exclude_none=True)
    kept = {key: data["input"][key] for key in ("name", "modality")}
    output = data["output"] | {"activation": "none"}  # the bundle's own postprocessing does it
    bundle = monai_bundle.open_network(
        parse_model(data | {"runner": "monai-bundle", "input": kept, "output": output}, name),
        "sha256:test",
        MODELS / name / "bundle",
        device="cpu",
        threads=2,
        code_accepted=True,
    )
    case = read_case(MODELS / name / manifest.reference.case)
    other = predict(bundle, case.values, case.grid).labels
    assert case.labels is not None
    assert other is not None
    # The bundle interpolates percentiles and borders in its own way: a few voxels may differ.
    assert float((other == case.labels).mean()) > 0.999


def test_reference_ball_of_pet_is_about_its_true_size() -> None:
    from pet_tumour.train.reference import RADIUS_MM

    case = read_case(MODELS / "pet_tumour" / "reference" / "case01.npz")
    assert case.labels is not None
    parts, _ = ndimage.label(case.labels)  # the wall beside it is marked too
    volume_ml = float((parts == parts[32, 32, 32]).sum()) * 0.064
    assert volume_ml == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=0.3)


@pytest.mark.realdata
@real
def test_pet_card_numbers_are_reproduced(opened: Callable[[str], OpenedModel]) -> None:
    """Dice of both methods from the hottest voxel, each patient held back."""
    del opened
    network = pet.onnx_network(pet.WEIGHTS)
    stated = {row["patient"]: row for row in results("pet_tumour")["patients"]}
    assert sorted(stated) == split()["held_back"]
    ours, classical = [], []
    for case in read_cases(split()["held_back"]):
        seed = pet.hottest(case)
        ours.append(pet.dice(pet.outline(network, case, seed), case.tumour))
        classical.append(pet.dice(pet.share_of_most(case, seed), case.tumour))
        assert ours[-1] == pytest.approx(stated[case.name]["network"], abs=0.01)
        assert classical[-1] == pytest.approx(stated[case.name]["classical"], abs=1e-3)
    card = (MODELS / "pet_tumour" / "CARD.md").read_text()
    assert f"{float(np.mean(ours)):.2f}" in card
    assert f"{float(np.mean(classical)):.2f}" in card


@pytest.mark.realdata
@real
def test_head_card_numbers_are_reproduced(opened: Callable[[str], OpenedModel]) -> None:
    """The child's T1 (agreement of both methods) and the steadiness between MS contrasts."""
    network = opened("head_structures")
    stated = results("head_structures")
    child = read_real("t1_child")
    labels, grid = head.labels_of(network, child.values, child.grid)
    volumes = head.volumes_ml(labels, grid)
    for name, volume in stated["t1_child"]["volumes_ml"].items():
        assert volumes[name] == pytest.approx(volume, rel=0.02, abs=0.2), name
    classical = head.classical_brain(child.values, child.grid, head.brain_of_t1)
    agreement = head.overlap(head.brain(labels), classical)
    assert agreement == pytest.approx(stated["t1_child"]["network_to_classical"], abs=0.005)
    pair = [read_real("ms19_t1"), read_real("ms19_flair")]
    found = head.on_stripped(network, pair)["ms19_t1 to ms19_flair"]
    for name, score in stated["ms19"]["ms19_t1 to ms19_flair"].items():
        assert found[name] == pytest.approx(score, abs=0.01), name
    card = (MODELS / "head_structures" / "CARD.md").read_text()
    assert f"{agreement:.2f}" in card


@pytest.mark.realdata
@real
def test_head_dice_on_heads_held_back_is_reproduced(opened: Callable[[str], OpenedModel]) -> None:
    found = head.on_synthetic(opened("head_structures"))
    stated = results("head_structures")["synthetic_dice"]
    for name, score in stated.items():
        assert found[name] == pytest.approx(score, abs=0.01), name
    mean = float(torch.tensor(list(stated.values())).mean())
    assert f"{mean:.2f}" in (MODELS / "head_structures" / "CARD.md").read_text()
