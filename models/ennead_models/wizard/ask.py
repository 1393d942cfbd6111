"""Asking the open questions in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from ennead.texts import translate
from ennead_models.wizard.answers import parse_answers
from ennead_models.wizard.codes import search_codes
from ennead_models.wizard.contract import Contract
from ennead_models.wizard.questions import Question, questions


def ask_missing(contract: Contract, given: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Ask every required question that has no answer yet; returns the answers with the new ones.

    An answer may bring further questions, so the list is made anew after each.
    """
    said = dict(given)
    while True:
        answers = parse_answers(contract.suggestions, said)
        open_ones = [q for q in questions(contract, answers) if not q.answered]
        if not open_ones:
            return said
        question = open_ones[0]
        if question.kind == "labels":
            said["labels"] = _labels(question, answers.kind or "", language)
        else:
            said[question.id] = _ask(question, language)


def _ask(question: Question, language: str) -> Any:
    text = translate(f"models.question.{question.id}.text", language)
    typer.echo(translate(f"models.question.{question.id}.why", language))
    usual = f" [{', '.join(question.choices)}]" if question.choices else ""
    answer: str = typer.prompt(f"{text}{usual}")
    return value_of(question, answer)


def value_of(question: Question, answer: str) -> Any:
    """What was typed as the kind of value that the question takes."""
    parts = [part.strip() for part in answer.split(",") if part.strip()]
    if question.kind == "list":
        return parts
    if question.kind == "numbers":
        return [float(part) for part in parts]
    if question.kind == "number" or question.id == "dimensions":
        return float(answer) if "." in answer else int(answer)
    return answer.strip()


def _labels(question: Question, kind: str, language: str) -> list[dict[str, Any]]:
    """Complete each label that the file names; ask for all of them where it names none."""
    typer.echo(translate("models.question.labels.why", language))
    known = [dict(label) for label in question.value or ()]
    if not known:
        count = typer.prompt(translate("models.ask.how_many", language), type=int)
        known = [{"value": number} for number in range(1, count + 1)]
    for label in known:
        typer.echo(f"— {label['value']} {label.get('title_en', '')}")
        for name, key in (("title_en", "name_en"), ("title_vi", "name_vi")):
            label[name] = label.get(name) or typer.prompt(translate(f"models.ask.{key}", language))
        if not label.get("type"):
            label |= _code(language)
        if kind != "labels":
            text = translate("models.ask.threshold", language)
            label["threshold"] = typer.prompt(text, default=0.5, type=float)
    return known


def _code(language: str) -> dict[str, str]:
    while True:
        words: str = typer.prompt(translate("models.ask.code_words", language))
        if ":" in words:
            return {"type": words}
        found = search_codes(words, 8)
        for number, code in enumerate(found, 1):
            typer.echo(f"  {number}  {code.text}  ({code.category})")
        if not found:
            typer.echo(translate("models.ask.no_code", language))
            continue
        choice = typer.prompt(translate("models.ask.which", language), default=1, type=int)
        if 1 <= choice <= len(found):
            chosen = found[choice - 1]
            side: str = typer.prompt(translate("models.ask.side", language), default="")
            return {"type": chosen.text, "category": chosen.category, "laterality": side}
