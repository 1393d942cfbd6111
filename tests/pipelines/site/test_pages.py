"""What the pages show is what the code takes and gives."""

import json
import re
from pathlib import Path

import pytest

from ennead.texts import platform_texts
from ennead_pipelines.site.problems import parse_rules
from ennead_pipelines.site.rules import Action, Condition
from ennead_pipelines.site.toml import read_toml

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", ["reference/rules.md", "how-to/site-control.md"])
def test_files_on_the_pages_can_be_read(page: str) -> None:
    found = blocks(page, "toml")
    assert found
    assert all(read_toml(text).rules for text in found)


def test_the_rule_on_the_page_has_every_key() -> None:
    document = json.loads(blocks("reference/rules.md", "json")[0])
    (rule,) = parse_rules([document])
    assert set(document["condition"]) == set(Condition.model_fields)
    assert set(document["action"]) == set(Action.model_fields)
    assert rule.as_json() == document


def test_texts_are_there_in_both_languages_with_the_same_placeholders() -> None:
    for key, english in platform_texts("en").items():
        if key.startswith("rules."):
            vietnamese = platform_texts("vi")[key]
            marks = [set(re.findall(r"\{\w+\}", text)) for text in (english, vietnamese)]
            assert marks[0] == marks[1], key
    mine = [{k for k in platform_texts(lang) if k.startswith("rules.")} for lang in ("vi", "en")]
    assert mine[0] == mine[1]
