"""The probes that a package asks for, and what it refuses by their answers."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from ennead.findings import Refusal
from ennead.identifiers import SeriesUID
from ennead.plugins.probes import ProbeRule
from ennead_pipelines.probe.answer import Answer
from ennead_pipelines.probe.body_part import body_part
from ennead_pipelines.probe.completeness import completeness
from ennead_pipelines.probe.contrast_phase import contrast_phase
from ennead_pipelines.probe.intensity import intensity
from ennead_pipelines.probe.orientation import orientation
from ennead_pipelines.probe.sample import Sample, read_sample
from ennead_pipelines.run.requests import Probed, ProbeRequest


def probe(requests: Sequence[ProbeRequest]) -> Probed:
    """Look at a few slices of each series.

    Raises
    ------
    Undecodable, LimitExceeded, InputError
        A slice cannot be decoded.
    """
    begun = perf_counter()
    refusals: list[Refusal] = []
    for each in requests:
        refusals += broken(each.rules, read_sample(each.request), each.request.series_uid)
    return Probed(tuple(refusals), perf_counter() - begun)


def broken(rules: Sequence[ProbeRule], sample: Sample, series_uid: SeriesUID) -> list[Refusal]:
    """A refusal for each rule that the answers break, for each output it names."""
    known: dict[tuple[str, str], Answer] = {}
    found: list[Refusal] = []
    for rule in rules:
        key = (rule.kind, rule.organ)
        if key not in known:
            known[key] = ask(rule, sample)
        answer = known[key]
        if not rule.is_met(answer.values):
            values = placeholders(rule, answer)
            found += [
                Refusal(rule.code, subject, rule.text, values, series_uid)
                for subject in rule.outputs or ("",)
            ]
    return found


def ask(rule: ProbeRule, sample: Sample) -> Answer:
    """Run the probe of a rule."""
    if rule.kind == "completeness":
        return completeness(sample, rule.organ)
    probes = {
        "intensity": intensity,
        "orientation": orientation,
        "body_part": body_part,
        "contrast_phase": contrast_phase,
    }
    return probes[rule.kind](sample)


def placeholders(rule: ProbeRule, answer: Answer) -> dict[str, str | int | float]:
    """What the rule's text may name: ``found``, ``numbers``, and each number by its name."""
    shown: dict[str, str | int | float] = dict(answer.numbers)
    shown["numbers"] = ", ".join(f"{k} {v}" for k, v in answer.numbers.items()) or "–"
    shown["found"] = ", ".join(f"probe.answer.{value}" for value in answer.values)
    return shown
