"""A proposed measurement group and a decision make a reviewed group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DatasetSequence

from ennead.codes import private
from ennead.errors import UndeclaredOutput
from ennead.texts import translate
from ennead_pipelines.encode import codes
from ennead_pipelines.encode.content import (
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    code,
    number,
    person,
    text,
)
from ennead_pipelines.encode.items import Item, as_dataset, as_item
from ennead_pipelines.encode.tree import concept, is_concept, value_of
from ennead_pipelines.review.decisions import REASONS, Decision, DecisionState
from ennead_pipelines.review.reading import output_id_of, read_group, reader_values

#: Qualitative items that a rejection takes back with the numbers.
_EVALUATIONS = (codes.PRESENCE, private("remark"))
_TRACKING_ITEMS = 2


@dataclass(frozen=True, slots=True)
class Observer:
    """Who decides: name as DICOM writes it, and organisation."""

    person_name: str
    organisation: str
    language: str

    def items(self) -> list[Item]:
        """Person observer context (TID 1002, 1003)."""
        found = [
            code(codes.OBSERVER_TYPE, codes.PERSON, HAS_OBS_CONTEXT),
            person(codes.PERSON_NAME, self.person_name),
        ]
        if self.organisation:
            found.append(text(codes.PERSON_ORGANISATION, self.organisation, HAS_OBS_CONTEXT))
        return found


def reviewed_group(group: Dataset, decision: Decision, observer: Observer) -> Dataset:
    """``group`` of the first document after ``decision``; changes and returns it.

    accepted : everything as it was.
    edited : the reader's values; each keeps what the package had measured below it.
    rejected : what was proposed and where, without numbers or qualitative items.

    Raises
    ------
    UndeclaredOutput
        An edit names a measurement the group does not have.
    """
    items = list(group.ContentSequence)
    tracking, rest = items[:_TRACKING_ITEMS], items[_TRACKING_ITEMS:]
    if decision.state == DecisionState.EDITED:
        rest = _edited(rest, decision, observer)
    elif decision.state == DecisionState.REJECTED:
        rest = [i for i in rest if i.ValueType != "NUM" and not _is_evaluation(i)]
    group.ContentSequence = DatasetSequence(
        [*tracking, *map(as_dataset, (*observer.items(), *_decision_items(decision))), *rest]
    )
    return group


def is_same_decision(group: Dataset, decision: Decision) -> bool:
    """Whether a reviewed group already states ``decision``."""
    found = read_group(group)
    wanted = REASONS.get(decision.reason)
    return (
        found.decision == str(decision.state)
        and (found.reason == wanted if wanted else found.reason is None)
        and found.comment == _comment(decision)
        and dict(reader_values(found)) == {k: float(v) for k, v in decision.values.items()}
    )


def _decision_items(decision: Decision) -> Iterable[Item]:
    yield code(private("decision"), private(str(decision.state)))
    if decision.reason in REASONS:
        yield code(private("decision-reason"), REASONS[decision.reason])
    if _comment(decision):
        yield text(codes.COMMENT, _comment(decision))


def _comment(decision: Decision) -> str:
    """Free text of a decision; a reason that is no code is part of it."""
    reason = "" if decision.reason in REASONS else decision.reason
    return "\n".join(t.strip() for t in (reason, decision.comment) if t.strip())


def _edited(items: list[Dataset], decision: Decision, observer: Observer) -> list[Dataset]:
    known = {output_id_of(i) for i in items if i.ValueType == "NUM"}
    unknown = set(decision.values) - known
    if unknown:
        raise UndeclaredOutput(
            f"Finding {decision.finding_id!r} has no measurement {sorted(unknown)}; it has "
            f"{sorted(known)}."
        )
    return [
        _edited_number(item, decision.values[output_id_of(item)], observer)
        if item.ValueType == "NUM" and output_id_of(item) in decision.values
        else item
        for item in items
    ]


def _edited_number(item: Dataset, value: float, observer: Observer) -> Dataset:
    """NUM with the reader's value; the package's value and how it came about go below it."""
    unit = codes.read_code(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0])
    described = list(item.ContentSequence)
    kept = [c for c in described if is_concept(c, private("output"))]
    how = [c for c in described if not is_concept(c, private("output"))]
    derivations = [as_item(c) for c in how if is_concept(c, codes.DERIVATION)]
    before = number(
        private("value-before-review"), value_of(item), unit, HAS_PROPERTIES, map(as_item, how)
    )
    said = translate("encode.reader_value", observer.language)
    method = text(codes.MEASUREMENT_METHOD, said, HAS_CONCEPT_MOD)
    children = [method, *derivations, *map(as_item, kept), before]
    edited = number(concept(item), value, unit, str(item.RelationshipType), children)
    return as_dataset(edited)


def _is_evaluation(item: Dataset) -> bool:
    return any(is_concept(item, name) for name in _EVALUATIONS)
