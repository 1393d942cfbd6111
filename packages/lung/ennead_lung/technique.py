"""Technique rules of densitometry, as ``package.toml`` states them.

The platform applies the same rules when it selects a series, so that the better series is chosen,
and tells the run what it declined. They are applied here once more, so that no value is ever
returned for a series that breaks them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ennead import headers
from ennead.contracts import Volume
from ennead.findings import Refusal
from ennead.plugins import Manifest, read_manifest
from ennead.plugins.manifest import Requirement


@cache
def manifest() -> Manifest:
    """Read the package's manifest, once."""
    return read_manifest(Path(__file__).parent / "package.toml")[0]


def technique_refusals(volume: Volume) -> list[Refusal]:
    """A refusal for each output that a broken rule of the manifest declines."""
    refusals = []
    for rule in manifest().input[0].require:
        values = _values(rule.attribute, volume)
        if rule.outputs and not _meets(rule, values):
            shown = _shown(rule, values)
            refusals += [
                Refusal(rule.code, output, rule.text, shown, volume.series_uid)
                for output in rule.outputs
            ]
    return refusals


def _values(attribute: str, volume: Volume) -> list[str]:
    if attribute == "slice_count":
        return [str(volume.grid.shape[0])]
    if attribute == "slice_spacing_mm":
        return [f"{volume.grid.spacing_mm[0]:.6g}"]
    return [v for v in headers.texts(volume.attributes, attribute) if v]


def _meets(rule: Requirement, values: list[str]) -> bool:
    upper = [v.upper() for v in values]
    if rule.present or rule.absent:
        return bool(values) == rule.present
    if rule.none_of is not None:
        return not any(word.upper() in value for word in rule.none_of for value in upper)
    if not values:
        return rule.if_missing == "pass"
    if rule.one_of is not None:
        return any(value in {word.upper() for word in rule.one_of} for value in upper)
    return all(_inside(rule, value) for value in values)


def _inside(rule: Requirement, value: str) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    low = rule.bounds.min if rule.bounds else None
    high = rule.bounds.max if rule.bounds else None
    return (low is None or number >= low) and (high is None or number <= high)


def _shown(rule: Requirement, values: list[str]) -> dict[str, str | int | float]:
    """The same placeholders as the platform's, so that both refusals are one."""
    found = "\\".join(values) or "–"
    shown: dict[str, str | int | float] = {
        "attribute": rule.attribute,
        "found": found,
        "value": found,
    }
    if rule.bounds and rule.bounds.min is not None:
        shown["rule_min"] = rule.bounds.min
    if rule.bounds and rule.bounds.max is not None:
        shown["rule_max"] = rule.bounds.max
    if rule.one_of is not None:
        shown["wanted"] = ", ".join(rule.one_of)
    if rule.none_of is not None:
        shown["refused"] = ", ".join(rule.none_of)
    return shown
