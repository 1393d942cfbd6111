"""The manifest's own requirements on a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ennead import headers
from ennead.contracts import JSONAttributes
from ennead.plugins.manifest import InputRule
from ennead_pipelines.select.reasons import Reason
from ennead_pipelines.select.stack import spacing_hint_mm


def attribute_values(attribute: str, slices: Sequence[JSONAttributes]) -> list[list[str]]:
    """Distinct value lists of a tag or computed name over the slices, in order of appearance."""
    if attribute == "slice_count":
        return [[str(len(slices))]]
    if attribute == "slice_spacing_mm":
        spacing = spacing_hint_mm(slices)
        return [[] if spacing is None else [f"{spacing:.6g}"]]
    found = dict.fromkeys(tuple(headers.texts(s, attribute)) for s in slices)
    return [list(values) for values in found]


def unmet(rule: InputRule, slices: Sequence[JSONAttributes]) -> Iterator[Reason]:
    """A reason for each requirement that the series does not meet."""
    for requirement in rule.require:
        for values in attribute_values(requirement.attribute, slices):
            if not requirement.is_met([v for v in values if v]):
                shown = requirement.placeholders(values)
                yield Reason(requirement.code, requirement.text, shown, tuple(requirement.outputs))
                break
