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


@cache
def manifest() -> Manifest:
    """Read the package's manifest, once."""
    return read_manifest(Path(__file__).parent / "package.toml")[0]


def technique_refusals(volume: Volume) -> list[Refusal]:
    """A refusal for each output that a broken rule of the manifest declines."""
    refusals = []
    for rule in manifest().input[0].require:
        values = _values(rule.attribute, volume)
        if rule.outputs and not rule.is_met(values):
            shown = rule.placeholders(values)
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
