"""What is read from a network's own files."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ennead.errors import TensorMismatch, WeightsUnsafe
from ennead_models.testing.onnx_file import write_onnx
from ennead_models.wizard.contract import Contract, read_contract
from ennead_models.wizard.labels import slug
from ennead_models.wizard.prepare import Prepared, prepare

Given = Callable[[str], tuple[Path, dict[str, Any]]]


def ready(source: Path, tmp_path: Path) -> Prepared:
    return prepare(source, tmp_path / "work", 10**8)


def test_onnx_says_its_tensors(given: Given, tmp_path: Path) -> None:
    contract = read_contract(ready(given("onnx")[0], tmp_path))
    assert contract.inputs[0].shape == ["n", 1, "d", "h", "w"]
    assert contract.inputs[0].dtype == "float32"
    known = {"dimensions": 3, "shape": ["n", "n", "n"], "input_channels": 1, "output_channels": 2}
    assert known.items() <= contract.suggestions.items()
    assert contract.suggestions["kind"] == "labels"
    assert contract.suggestions["id"] == "bright_ct"
    assert Contract.of(contract.document()) == contract


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("probability", {}, {"kind": "probability", "activation": "none", "output_channels": 1}),
        (
            "classification",
            {"dimensions": 2, "shape": (32, 32)},
            {"kind": "classification", "fit": "resize", "shape": ["32", "32"], "dimensions": 2},
        ),
        ("labels", {"shape": (16, "a", "b")}, {"shape": ["16", "n", "n"]}),
    ],
)
def test_onnx_suggests_what_its_shapes_mean(
    tmp_path: Path, kind: Any, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    source = write_onnx(tmp_path / "x.onnx", kind, **changes)
    assert expected.items() <= read_contract(ready(source, tmp_path)).suggestions.items()


def test_onnx_metadata_name_the_labels(tmp_path: Path) -> None:
    import onnx

    source = write_onnx(tmp_path / "x.onnx")
    model = onnx.load(source)
    entry = model.metadata_props.add()
    entry.key, entry.value = "labels", "{0: 'background', 1: 'spleen'}"
    onnx.save(model, source)
    (label,) = read_contract(ready(source, tmp_path)).suggestions["labels"]
    assert (label["value"], label["id"]) == (1, "spleen")
    assert label["type"] == "SCT:78961009 Spleen"


def test_onnx_of_two_images_is_no_model_here(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    both = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, "d", "h", "w"])
        for name in ("t1", "t2")
    ]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 1, "d", "h", "w"])
    graph = helper.make_graph([helper.make_node("Add", ["t1", "t2"], ["out"])], "g", both, [out])
    onnx.save(helper.make_model(graph), tmp_path / "x.onnx")
    with pytest.raises(TensorMismatch, match="takes 2 inputs"):
        read_contract(ready(tmp_path / "x.onnx", tmp_path))


def test_torchscript_is_guessed_from_its_weights(given: Given, tmp_path: Path) -> None:
    contract = read_contract(ready(given("torchscript")[0], tmp_path))
    assert contract.runner == "torchscript"
    known = {"dimensions": 3, "input_channels": 1, "output_channels": 2, "kind": "labels"}
    assert known.items() <= contract.suggestions.items()
    assert any("guessed" in fact for fact in contract.facts)


@pytest.mark.parametrize("zipped", [False, True])
def test_bundle_says_what_its_metadata_say(given: Given, tmp_path: Path, zipped: bool) -> None:
    source = given("monai-bundle")[0]
    if zipped:
        archive = tmp_path / "bright_ct.zip"
        with zipfile.ZipFile(archive, "w") as writer:
            for file in source.rglob("*"):
                writer.write(file, Path("bright_ct") / file.relative_to(source))
        source = archive
    prepared = ready(source, tmp_path)
    assert prepared.runner == "monai-bundle"
    found = read_contract(prepared).suggestions
    assert found["modality"] == ["CT"]
    assert found["version"] == "0.1.0"
    assert found["output_channels"] == 2
    assert [label["id"] for label in found["labels"]] == ["bright"]
    assert found["summary_en"] == "Tests only"


def test_nnunet_says_labels_and_modality(given: Given, tmp_path: Path) -> None:
    found = read_contract(ready(given("nnunet")[0], tmp_path)).suggestions
    assert found["modality"] == ["CT"]
    assert found["orientation"] == "SPL"
    assert found["output_channels"] == 2
    assert [label["value"] for label in found["labels"]] == [1]
    assert found["trained_on"] == "1 cases (dataset.json)"


def test_a_pickle_is_refused_with_what_to_do(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(WeightsUnsafe, match="export to ONNX"):
        ready(tmp_path / "x.pth", tmp_path)


def test_other_things_are_refused_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    for name in ("x.txt", "empty", "absent.onnx"):
        with pytest.raises(WeightsUnsafe, match="Give an ONNX file, a TorchScript file"):
            ready(tmp_path / name, tmp_path)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Liver CT v2", "liver_ct_v2"),
        ("3d-net", "model_3d_net"),
        ("Gan đa pha", "gan_a_pha"),
        ("x", "x_model"),
        ("!", "model"),
    ],
)
def test_ids_from_names(name: str, made: str) -> None:
    assert slug(name) == made
