"""Questions in a terminal: only what is open, each answer checked before the next."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from ennead_models.wizard.answers import parse_answers
from ennead_models.wizard.ask import ask_missing
from ennead_models.wizard.build import unanswered
from ennead_models.wizard.contract import Contract

SUGGESTED = {
    "id": "x",
    "title_en": "X",
    "dimensions": 3,
    "shape": ["n", "n", "n"],
    "kind": "labels",
    "output_channels": 2,
}


def test_open_questions_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: Iterator[Any] = iter(
        [
            *("Tên", "For tests.", "Để thử.", "LicenseRef-mine", "Not for sale."),
            *("CT, MR", "RAS", "zscore"),
            *(1, "Liver", "Gan", "zzz", "liver", 1, "left"),
        ]
    )
    asked: list[str] = []

    def prompt(text: str, **_: Any) -> Any:
        asked.append(text)
        return next(typed)

    monkeypatch.setattr(typer, "prompt", prompt)
    contract = Contract("onnx", "x", suggestions=SUGGESTED)
    said = ask_missing(contract, {}, "vi")
    assert next(typed, None) is None
    assert asked[0] == "Tên tiếng Việt"
    answers = parse_answers(SUGGESTED, said)
    assert unanswered(contract, answers) == []
    assert answers.modality == ["CT", "MR"]
    assert answers.licence_text == "Not for sale."
    assert answers.labels[0].type == "SCT:10200004 Liver"
    assert answers.labels[0].laterality == "left"
