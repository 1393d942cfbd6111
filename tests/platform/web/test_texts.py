"""The catalogue: both languages whole, and every key that the web asks for is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ennead.texts import platform_texts

WEB = Path(__file__).parents[3] / "platform" / "web"
SOURCES = [
    f for folder in ("portal/src", "viewer/src", "shared") for f in (WEB / folder).rglob("*.ts*")
]
KEY = re.compile(r"""['"`]((?:portal|viewer)(?:\.[\w-]+)+)['"`]""")
PATTERN = re.compile(r"`((?:portal|viewer)\.[\w.-]*)\$\{[^}]+\}`")


def _asked() -> set[str]:
    return {key for file in SOURCES for key in KEY.findall(file.read_text(encoding="utf-8"))}


def test_both_languages_have_the_same_keys() -> None:
    assert set(platform_texts("vi")) == set(platform_texts("en"))


def test_both_languages_have_the_same_placeholders() -> None:
    vi, en = platform_texts("vi"), platform_texts("en")
    for key, text in en.items():
        assert sorted(re.findall(r"\{[^}]*\}", text)) == sorted(
            re.findall(r"\{[^}]*\}", vi[key])
        ), key


def test_the_web_asks_for_many_keys() -> None:
    assert len(_asked()) > 60


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_key_asked_for_exists(language: str) -> None:
    assert _asked() - set(platform_texts(language)) == set()


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_family_of_keys_asked_for_exists(language: str) -> None:
    families = {p for f in SOURCES for p in PATTERN.findall(f.read_text(encoding="utf-8"))}
    assert len(families) > 8
    for family in families:
        assert any(key.startswith(family) for key in platform_texts(language)), family


def test_every_web_text_is_used() -> None:
    asked = _asked()
    families = {p for f in SOURCES for p in PATTERN.findall(f.read_text(encoding="utf-8"))}
    served = {"portal.not_built.title", "portal.not_built.text"}
    unused = {
        key
        for key in platform_texts("en")
        if key.startswith(("portal.", "viewer."))
        and key not in asked | served
        and not any(key.startswith(family) for family in families)
    }
    assert unused == set()


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_text_claims_a_clearance(language: str) -> None:
    words = re.compile(r"\b(FDA|CE mark|CE-mark|510\(k\)|chứng nhận CE)\b", re.IGNORECASE)
    assert not [key for key, text in platform_texts(language).items() if words.search(text)]


def test_every_refusal_code_and_state_has_words() -> None:
    en = platform_texts("en")
    types = (WEB / "shared" / "types.ts").read_text(encoding="utf-8")
    ai = re.search(r"AIState =([^;]*);", types)
    job = re.search(r"JobState =([^;]*);", types)
    finding = re.search(r"FindingState =([^;]*);", types)
    assert ai and job and finding
    for family, found in (
        ("portal.ai.state", ai),
        ("portal.findings.empty", ai),
        ("portal.job.state", job),
        ("viewer.state", finding),
        ("viewer.decision", finding),
    ):
        for state in re.findall(r"'([\w-]+)'", found[1]):
            assert f"{family}.{state}" in en
