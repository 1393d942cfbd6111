"""Texts: every key in both languages, with the same placeholders, and none missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ennead.plugins import Manifest
from ennead.texts import LANGUAGES, package_texts, platform_texts
from ennead_pipelines.quality.sources import Sources

_KEY = re.compile(r"(refusal|progress)\.[a-z0-9_.]+")
_PLACEHOLDER = re.compile(r"\{\w+\}")


def refuses_with_texts_vi_en(manifest: Manifest, folder: Path, sources: Sources) -> Iterator[str]:
    """Keys that the manifest or the code names, and titles that people read."""
    own = {language: package_texts(folder, language) for language in LANGUAGES}
    vi, en = own["vi"], own["en"]
    for key in sorted(set(vi) ^ set(en)):
        language = "en" if key in vi else "vi"
        yield f"texts/{language}.toml lacks {key}"
    for key in sorted(set(vi) & set(en)):
        if set(_PLACEHOLDER.findall(vi[key])) != set(_PLACEHOLDER.findall(en[key])):
            yield f"{key} has other placeholders in vi and en"
        if vi[key] == en[key] and re.search(r"[A-Za-z]{4}", vi[key]):
            yield f"{key} is the same in vi and en; translate it"
    used = {key for key in sources.strings() if _KEY.fullmatch(key)} | set(_manifest_keys(manifest))
    for key in sorted(used):
        for language in LANGUAGES:
            if not _has(key, [*own[language], *platform_texts(language)]):
                yield f"texts/{language}.toml lacks {key}, which the package uses"
    for what, titles in _titles(manifest):
        for language in LANGUAGES:
            if not titles.get(language):
                yield f"{what} has no {language}"


def _has(key: str, known: Sequence[str]) -> bool:
    """Whether the key is there; one that ends with a dot is the beginning of others."""
    if key.endswith("."):
        return any(each.startswith(key) for each in known)
    return key in known


def _manifest_keys(manifest: Manifest) -> Iterator[str]:
    for rule in manifest.input:
        yield from (requirement.text for requirement in rule.require)
        yield from (probe.text for probe in rule.probe)
    yield from (check.text for check in manifest.qc.values() if check.text)


def _titles(manifest: Manifest) -> Iterator[tuple[str, dict[str, str]]]:
    yield "title", manifest.title
    for output in manifest.output:
        yield f"title of output {output.id}", output.title
    for threshold in manifest.threshold:
        yield f"title of threshold {threshold.id}", threshold.title
