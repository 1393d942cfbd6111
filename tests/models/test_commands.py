"""The command line, from a file to an active model and back."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ennead.errors import (
    Conflict,
    EnneadError,
    InputError,
    LicenceNotAccepted,
    TransitionRefused,
    WeightsDigestMismatch,
)
from ennead_models.add import parse_label
from ennead_models.commands import models
from ennead_models.testing.folders import write_model_folder
from ennead_models.testing.onnx_file import write_onnx

ANSWERS = """
title_en = "Bright region"
title_vi = "Vùng sáng"
summary_en = "Marks what is bright."
summary_vi = "Đánh dấu vùng sáng."
licence = "Apache-2.0"
modality = ["CT"]
orientation = "RAS"
intensity = "none"
tile = [32, 32, 32]

[[labels]]
value = 1
title_en = "Bright"
title_vi = "Sáng"
type = "SCT:10200004 Liver"
"""


class CLI:
    """Runs ``ennead models …`` in this process on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(models, [*arguments, "--home", str(self.home)], input=typed)

    def ok(self, *arguments: str) -> str:
        result = self(*arguments)
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.output

    def refused(self, kind: type[EnneadError], *arguments: str) -> str:
        result = self(*arguments)
        assert isinstance(result.exception, kind), result.output + repr(result.exception)
        return str(result.exception)


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path / "home")


def test_from_a_file_to_active_and_back(cli: CLI, tmp_path: Path) -> None:
    source = write_onnx(tmp_path / "bright.onnx")
    (tmp_path / "answers.toml").write_text(ANSWERS)
    given = (str(source), "--answers", str(tmp_path / "answers.toml"))
    assert "next: ennead models install bright" in cli.ok("add", *given)
    assert "not installed" in cli.ok("list")
    assert "--accept-licence" in cli.refused(LicenceNotAccepted, "install", "bright")
    assert "bright 1.0.0 is registered" in cli.ok("install", "bright", "--accept-licence")
    assert "ok bright dice 1" in cli.ok("check", "bright")
    assert "is shadow" in cli.ok("promote", "bright", "1.0.0", "--to", "shadow")
    active = ("promote", "bright", "1.0.0", "--to", "active")
    assert "written reason" in cli.refused(TransitionRefused, *active)
    assert "is active" in cli.ok(*active, "--reason", "agreed by the board")

    cli.ok("add", *given, "--version", "1.1.0", "--label", "1;Bright;Sáng;spleen")
    cli.ok("install", "bright", "--accept-licence")
    cli.ok("promote", "bright", "1.1.0", "--to", "shadow")
    said = cli.ok(
        "promote", "bright", "1.1.0", "--to", "active", "--reason", "better on thin slices"
    )
    assert "1.0.0 is retired" in said
    assert "bright 1.0.0 is active again" in cli.ok("rollback", "bright", "--reason", "too many")
    shown = cli.ok("show", "bright")
    assert "rolled-back active → retired by ennead too many" in shown
    assert "state: retired" in shown
    assert "is retired" in cli.ok("retire", "bright", "1.0.0")


def test_what_is_open_is_named_when_nobody_can_answer(cli: CLI, tmp_path: Path) -> None:
    source = write_onnx(tmp_path / "bright.onnx")
    said = cli.refused(InputError, "add", str(source), "--no-ask", "--title-vi", "Sáng")
    assert "summary_en, summary_vi, licence, modality, orientation, intensity, labels" in said
    assert "title_vi" not in said


def test_every_question_is_an_option() -> None:
    from ennead_models.wizard.answers import Answers

    command = typer.main.get_command(models).commands["add"]  # type: ignore[attr-defined]
    options = {parameter.name for parameter in command.params}
    written_otherwise = {"labels": "label", "licence_text": "licence_file"}
    only_in_a_file = {"procedure", "channels", "input_channels", "reported"}
    asked = {written_otherwise.get(name, name) for name in Answers.model_fields}
    assert asked - only_in_a_file <= options


def test_a_shipped_model_is_fetched_checked_and_broken_ones_are_told(
    cli: CLI, tmp_path: Path
) -> None:
    folder = write_model_folder(cli.home / "models")
    assert "verified" in cli.ok("fetch", "bright")
    (tmp_path / "other.onnx").write_bytes((folder / "weights.onnx").read_bytes()[::-1])
    for file in (cli.home / "weights").iterdir():
        file.unlink()
    wrong = ("fetch", "bright", "--from", str(tmp_path / "other.onnx"))
    assert "expected SHA-256" in cli.refused(WeightsDigestMismatch, *wrong)
    write_model_folder(cli.home / "models", id="broken", schema=9)
    assert "broken" in cli.ok("list")


def test_check_ends_with_one_when_the_case_does_not_reproduce(cli: CLI) -> None:
    write_model_folder(cli.home / "models", threshold_hu=-800.0)
    result = cli("check", "bright")
    assert result.exit_code == 1
    assert "FAIL bright dice" in result.output


def test_new_makes_a_folder_whose_gaps_are_named(cli: CLI, tmp_path: Path) -> None:
    into = ("--into", str(cli.home / "models"))
    for runner in ("onnx", "nnunet"):
        result = CliRunner().invoke(models, ["new", f"mine_{runner}", "--runner", runner, *into])
        assert result.exit_code == 0, result.exception
    listed = cli.ok("list")
    for gap in ("schema: title: Value error, needs a text in vi and en", "label.0.type"):
        assert listed.count(gap) == 2
    again = CliRunner().invoke(models, ["new", "mine_onnx", *into])
    assert isinstance(again.exception, Conflict)


def test_labels_in_one_line() -> None:
    found = parse_label("2;Left kidney;Thận trái;kidney;left;0.4")
    assert found == {
        "value": 2,
        "title_en": "Left kidney",
        "title_vi": "Thận trái",
        "type": "SCT:64033007 Kidney",
        "category": "SCT:91723000 Anatomical Structure",
        "laterality": "left",
        "threshold": 0.4,
    }
    for wrong in ("liver", "1;a;b", "1;a;b;zzzz"):
        with pytest.raises(InputError):
            parse_label(wrong)
