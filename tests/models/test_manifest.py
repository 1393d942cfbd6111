"""``model.toml``: what is read, and that every broken rule is named."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ennead.errors import ModelManifestInvalid
from ennead.testing.models import model_data
from ennead_models.manifest import model_digest, parse_model, read_model
from ennead_models.manifest.write import to_toml


def written(root: Path, **changes: Any) -> Path:
    data = model_data(**changes)
    folder = root / "bright"
    (folder / "reference").mkdir(parents=True)
    (folder / "reference" / "case01.npz").write_bytes(b"")
    (folder / "CARD.md").write_text("card")
    (folder / "model.toml").write_text(to_toml(data))
    return folder


def test_reads_a_folder_and_names_it_by_manifest_and_weights(tmp_path: Path) -> None:
    folder = written(tmp_path)
    manifest, digest = read_model(folder)
    assert (manifest.id, manifest.version, manifest.runner) == ("bright", "1.0.0", "onnx")
    assert manifest.label[0].type.code.meaning == "Present"
    raw = (folder / "model.toml").read_bytes()
    assert digest == "sha256:" + hashlib.sha256(raw + b"\0" + b"0" * 64).hexdigest()
    assert digest != model_digest(raw, "1" * 64)


def test_toml_survives_being_written_and_read() -> None:
    data = model_data(title__vi='Gan "to"\n\\', input__slices={"min": 3})
    assert tomllib.loads(to_toml(data)) == data


def test_unknown_schema_is_refused_whatever_else_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ModelManifestInvalid, match=r"schema 2; this version reads 1"):
        read_model(written(tmp_path, schema=2, nonsense=True))


def test_every_broken_rule_is_named_at_once() -> None:
    data = model_data(title__vi=None, version="1", input__orientation="RAL", colour="red")
    with pytest.raises(ModelManifestInvalid) as refused:
        parse_model(data, "model.toml")
    message = refused.value.message
    for said in ("title: Value error, needs a text in vi", "version:", "twice", "colour:"):
        assert said in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label__0__type": "SCT:123"}, "a code is written 'SCT:10200004 Liver'"),
        ({"label__0__channel": 2}, r"channel 2; the output has 2 \(0 to 1\)"),
        ({"label__0__threshold": {"default": 0.5, "site_bounds": [0, 1]}}, "takes no threshold"),
        ({"output__kind": "probability"}, "needs a threshold"),
        ({"output__kind": "classification", "output__form": "map"}, "threshold"),
        ({"input__shape": ["96", "7n", "n"]}, "shape takes '96', 'n' or"),
        ({"input__shape": ["n", "n"]}, "shape needs 3 lengths"),
        ({"input__fit": "resize"}, "needs a fixed shape"),
        ({"input__channels": []}, "needs input.orientation, shape and channels"),
        ({"input__channels__0__scale": "fixed"}, "needs mean and std"),
        ({"input__channels__0__clip": [5.0, 5.0]}, "must rise"),
        ({"runner": "nnunet"}, "brings its own preprocessing"),
        ({"licence": "free to use"}, "SPDX expression"),
        ({"licence": "LicenseRef-hospital"}, "needs licence_file"),
        ({"weights__file": "../../etc/passwd"}, "weights.file"),
        ({"weights__url": "ftp://x/y"}, "weights.url"),
        ({"reference__case": "/etc"}, "reference.case"),
        ({"resources__tile": [8]}, "tile needs 3 lengths"),
    ],
)
def test_a_broken_rule_says_what_it_is(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelManifestInvalid, match=said):
        parse_model(model_data(**changes), "model.toml")


def test_default_threshold_stays_inside_the_site_bounds() -> None:
    label = {"default": 0.9, "site_bounds": [0.2, 0.8]}
    with pytest.raises(ModelManifestInvalid, match=r"default 0\.9"):
        parse_model(model_data(output__kind="probability", label__0__threshold=label), "model.toml")


@pytest.mark.parametrize(
    ("kind", "activation", "channel"),
    [("labels", "none", 1), ("probability", "softmax", 1), ("probability", "sigmoid", 0)],
)
def test_channel_of_a_label(kind: str, activation: str, channel: int) -> None:
    threshold = None if kind == "labels" else {"default": 0.5, "site_bounds": [0.2, 0.8]}
    manifest = parse_model(
        model_data(output__kind=kind, output__activation=activation, label__0__threshold=threshold),
        "model.toml",
    )
    assert manifest.channel_of(manifest.label[0]) == channel


def test_files_that_the_manifest_names_must_be_there(tmp_path: Path) -> None:
    folder = written(tmp_path, licence="LicenseRef-x", licence_file="LICENCE.txt")
    (folder / "CARD.md").unlink()
    with pytest.raises(ModelManifestInvalid, match=r"card 'CARD.md'.*licence_file 'LICENCE.txt'"):
        read_model(folder)


def test_id_equals_the_folders_name_or_its_parents(tmp_path: Path) -> None:
    folder = written(tmp_path)
    versioned = tmp_path / "x" / "bright"
    versioned.mkdir(parents=True)
    folder = folder.rename(versioned / "1.0.0")
    assert read_model(folder)[0].version == "1.0.0"
    with pytest.raises(ModelManifestInvalid, match="must equal the folder's name"):
        read_model(folder.rename(versioned / "1.0.1"))


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_bytes(b"\xff\x00")
    with pytest.raises(ModelManifestInvalid, match="cannot be read as TOML"):
        read_model(tmp_path)
