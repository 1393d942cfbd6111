"""Thresholds: each is used, each that is used is declared, each default lies in its bounds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ennead.plugins import Manifest
from ennead.plugins.models import ModelNeed
from ennead_pipelines.quality.sources import Sources


def thresholds_used(manifest: Manifest, sources: Sources) -> Iterator[str]:
    """By their ids as string constants, and by ``context.thresholds["id"]``."""
    strings = set(sources.strings())
    models = tuple(f"{ModelNeed.parse(text).id}_" for text in manifest.models)
    declared = {threshold.id for threshold in manifest.threshold}
    for threshold in manifest.threshold:
        low, high = threshold.site_bounds
        if not low <= threshold.default <= high:
            yield f"threshold {threshold.id}: default {threshold.default:g} is not in its bounds"
        # The platform itself applies <model>_<label> to that model's answers.
        if threshold.id not in strings and not threshold.id.startswith(models or ("\0",)):
            yield f"threshold {threshold.id} is never used; a site would turn a dead knob"
    for name in sorted(set(_subscripted(sources)) - declared):
        yield f'thresholds["{name}"] is used but not declared'


def _subscripted(sources: Sources) -> Iterator[str]:
    for tree in sources.modules.values():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Attribute)
                and node.value.attr == "thresholds"
                and isinstance(node.slice, ast.Constant)
                and isinstance(node.slice.value, str)
            ):
                yield node.slice.value
