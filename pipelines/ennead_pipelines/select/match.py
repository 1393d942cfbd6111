"""One package against one study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ennead.findings import Refusal, RefusalCode
from ennead.plugins import InputRule, Manifest
from ennead_pipelines.select.candidates import Candidate
from ennead_pipelines.select.checks import checks, few_slices, multi_frame, wrong_modality
from ennead_pipelines.select.reasons import Reason
from ennead_pipelines.select.requirements import attribute_values, unmet
from ennead_pipelines.select.stack import Stack, stack_of


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided for one series and one input: ``chosen``, ``eligible`` or ``refused``."""

    input: str
    candidate: Candidate
    state: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class ChosenInput:
    """A series chosen for an input; ``stack`` is None where the input is not volumetric."""

    candidate: Candidate
    stack: Stack | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The answer for one package.

    Parameters
    ----------
    inputs : dict
        Input name → chosen series; empty when the package declines the study.
    refusals : tuple of Refusal
        Declined outputs of a run, or why there is no run.
    """

    choices: tuple[Choice, ...]
    inputs: dict[str, ChosenInput] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()

    @property
    def runnable(self) -> bool:
        """Whether every needed input found its series."""
        return bool(self.inputs)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One series under one input's rules.

    Parameters
    ----------
    refused : tuple of Reason
        Why the series does not fit; empty when it does.
    declined : tuple of Reason
        Outputs that cannot be had from it.
    stack : Stack or None
        None where the input is not volumetric, or the slices are no stack.
    """

    candidate: Candidate
    refused: tuple[Reason, ...]
    declined: tuple[Reason, ...]
    stack: Stack | None


def match(manifest: Manifest, candidates: Sequence[Candidate]) -> Selection:
    """Choose the best series for every input of ``manifest``, with a reason for all others.

    A series serves one input. Eligible series rank by how few outputs they cost, then by the
    manifest's preferences, then by more slices, then by number and UID.
    """
    choices: list[Choice] = []
    inputs: dict[str, ChosenInput] = {}
    declined: list[Refusal] = []
    refusals: list[Refusal] = []
    taken: set[str] = set()
    for rule in manifest.series_inputs:
        verdicts = [judge(rule, c) for c in candidates if c.record.series_uid not in taken]
        eligible = _ranked(rule, [v for v in verdicts if not v.refused])
        refused = [v for v in verdicts if v.refused]
        choices += [
            Choice(rule.name, v.candidate, "eligible" if n else "chosen", v.declined)
            for n, v in enumerate(eligible)
        ]
        choices += [Choice(rule.name, v.candidate, "refused", v.refused) for v in refused]
        if eligible:
            best = eligible[0]
            taken.add(best.candidate.record.series_uid)
            inputs[rule.name] = ChosenInput(best.candidate, best.stack)
            for reason in best.declined:
                declined += reason.refusals(best.candidate.record.series_uid)
        elif not rule.optional:
            refusals += _why_none(rule, refused)
    if refusals:
        return Selection(tuple(choices), {}, tuple(refusals))
    return Selection(tuple(choices), inputs, tuple(declined))


def judge(rule: InputRule, candidate: Candidate) -> Verdict:
    """Whether one series meets the rules of one input, from its headers."""
    first = wrong_modality(rule, candidate)
    if first is None and rule.volumetric:
        first = multi_frame(candidate)
    if first:
        return Verdict(candidate, (first,), (), None)
    refused = list(checks(rule, candidate))
    stack: Stack | None = None
    if rule.volumetric:
        answer = stack_of(candidate.headers)
        if isinstance(answer, Stack):
            stack = answer
        else:
            refused += answer
    refused += few_slices(rule, candidate)
    declined: list[Reason] = []
    for reason in unmet(rule, candidate.headers):
        (declined if reason.outputs else refused).append(reason)
    return Verdict(candidate, tuple(refused), tuple(declined), stack)


def _ranked(rule: InputRule, verdicts: list[Verdict]) -> list[Verdict]:
    def key(verdict: Verdict) -> tuple[object, ...]:
        slices = verdict.candidate.headers
        record = verdict.candidate.record
        wanted = []
        for preference in rule.prefer:
            value = _number(attribute_values(preference.attribute, slices))
            sign = -1.0 if preference.descending else 1.0
            wanted.append((value is None, sign * (value or 0.0)))
        cost = len({output for reason in verdict.declined for output in reason.outputs})
        number = record.number if record.number is not None else 2**31
        return (cost, *wanted, -len(slices), number, record.series_uid)

    return sorted(verdicts, key=key)


def _number(values: list[list[str]]) -> float | None:
    try:
        return float(values[0][0])
    except (IndexError, ValueError):
        return None


def _why_none(rule: InputRule, refused: list[Verdict]) -> list[Refusal]:
    """Refusals of a missing input: nearest series first; other modalities are summed up in one."""
    near = [v for v in refused if v.refused[0].code is not RefusalCode.MODALITY]
    near.sort(key=lambda v: len(v.refused))
    far = [v for v in refused if v.refused[0].code is RefusalCode.MODALITY]
    found = [
        refusal
        for verdict in near or far
        for reason in verdict.refused
        for refusal in reason.refusals(verdict.candidate.record.series_uid)
    ]
    none = Refusal(RefusalCode.NO_SERIES, "", "refusal.no_series", {"input": rule.name})
    return [*found, none]
