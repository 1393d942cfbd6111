"""Outcomes of a labelled set → one JSON document, known by the digest of its own bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ennead_models.manifest import ModelLabel, ModelManifest
from ennead_models.validation.agreement import bland_altman
from ennead_models.validation.calibration import calibration
from ennead_models.validation.intervals import Estimate, mean
from ennead_models.validation.outcome import CaseOutcome, LabelOutcome
from ennead_models.validation.roc import at_threshold, auroc, roc_curve

SCHEMA: Final = 1
#: Upper ends of the age groups, in years.
AGES: Final = ((18, "0–17"), (40, "18–39"), (60, "40–59"), (80, "60–79"))
OLDEST: Final = "80+"
UNKNOWN: Final = "?"


def build_report(
    manifest: ModelManifest,
    model_digest: str,
    outcomes: Sequence[CaseOutcome],
    *,
    set_name: str,
    set_digest: str,
    device: str = "cpu",
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The report (docs/reference/model-facts-api.md, "Local validation"); no date enters it.

    Parameters
    ----------
    thresholds : mapping, optional
        Label id → threshold that was in force, where it is not the manifest's.
    """
    limits = {label.id: label.threshold.default for label in manifest.label if label.threshold}
    limits |= dict(thresholds or {})
    segments = manifest.output.kind != "classification"
    return {
        "schema": SCHEMA,
        "model": manifest.id,
        "version": manifest.version,
        "model_digest": model_digest,
        "kind": manifest.output.kind,
        "device": device,
        "thresholds": limits,
        "set": {"name": set_name, "cases": len(outcomes), "digest": set_digest},
        "labels": [_label(label, outcomes) for label in manifest.label] if segments else [],
        "classes": []
        if segments
        else [_class(label, limits[label.id], outcomes) for label in manifest.label],
        "cases": [_case(outcome) for outcome in outcomes],
    }


def to_bytes(report: Mapping[str, Any]) -> bytes:
    """The document's bytes: sorted, compact, UTF-8."""
    text = json.dumps(report, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def digest_of(data: bytes) -> str:
    """``sha256:…``, the name under which a report is kept."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def age_group(age_years: float | None) -> str:
    """The age group that a report uses."""
    if age_years is None:
        return UNKNOWN
    return next((name for end, name in AGES if age_years < end), OLDEST)


Grouping = Callable[[CaseOutcome], str]
_GROUPINGS: Final[Mapping[str, Grouping]] = {
    "scanner": lambda outcome: outcome.scanner or UNKNOWN,
    "sex": lambda outcome: outcome.sex or UNKNOWN,
    "age": lambda outcome: age_group(outcome.age_years),
}


def _groups(
    outcomes: Sequence[CaseOutcome], judge: Callable[[Sequence[CaseOutcome]], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, group_of in _GROUPINGS.items():
        members: dict[str, list[CaseOutcome]] = {}
        for outcome in outcomes:
            members.setdefault(group_of(outcome), []).append(outcome)
        found[name] = [
            {"group": group, "n": len(inside), **judge(inside)}
            for group, inside in sorted(members.items())
        ]
    return found


def _label(label: ModelLabel, outcomes: Sequence[CaseOutcome]) -> dict[str, Any]:
    said = [o.labels[label.id] for o in outcomes if label.id in o.labels]
    there = [s for s in said if s.truth_ml > 0]
    presence = at_threshold([s.found_ml > 0 for s in said], [s.truth_ml > 0 for s in said], 1.0)
    return {
        "id": label.id,
        "title": dict(label.title),
        "cases": len(said),
        "missed": presence.false_negative,
        "false": presence.false_positive,
        "empty": presence.true_negative,
        **_overlap(said),
        "volume": _volumes(there),
        "presence": _plain(presence) | {"threshold": None},
        "groups": _groups(
            outcomes, lambda inside: _overlap([o.labels[label.id] for o in inside if o.labels])
        ),
    }


def _volumes(there: Sequence[LabelOutcome]) -> dict[str, Any]:
    """Agreement of found and true volumes; limits are None for fewer than two cases."""
    agreed = bland_altman([s.found_ml for s in there], [s.truth_ml for s in there])
    if agreed:
        return _plain(agreed) | {"unit": "mL"}
    differences = [s.found_ml - s.truth_ml for s in there]
    nothing = dict.fromkeys(("sd", "low", "high", "bias_ci", "low_ci", "high_ci"))
    return nothing | {
        "n": len(there),
        "bias": differences[0] if differences else None,
        "points": [[(s.found_ml + s.truth_ml) / 2, s.found_ml - s.truth_ml] for s in there],
        "unit": "mL",
    }


def _overlap(said: Iterable[LabelOutcome]) -> dict[str, Any]:
    """Dice over cases in which the structure is (a missed one counts 0), HD95 where both are."""
    there = [s for s in said if s.truth_ml > 0]
    return {
        "dice": _estimate(mean([s.dice for s in there if s.dice is not None])),
        "hd95_mm": _estimate(mean([s.hd95_mm for s in there if s.hd95_mm is not None])),
    }


def _class(label: ModelLabel, limit: float, outcomes: Sequence[CaseOutcome]) -> dict[str, Any]:
    judged = [o for o in outcomes if label.id in o.scores and label.id in o.truth]
    scores = [o.scores[label.id] for o in judged]
    truth = [o.truth[label.id] for o in judged]
    calibrated = calibration(scores, truth)
    return {
        "id": label.id,
        "title": dict(label.title),
        "positives": sum(truth),
        "negatives": len(truth) - sum(truth),
        "auroc": _area(scores, truth),
        "roc": [
            [x, y, None if at == float("inf") else at] for x, y, at in roc_curve(scores, truth)
        ],
        "at_threshold": _plain(at_threshold(scores, truth, limit)),
        "calibration": _plain(calibrated)
        if calibrated
        else {"n": 0, "brier": None, "ece": None, "bins": []},
        "groups": _groups(judged, lambda inside: _class_group(label.id, limit, inside)),
    }


def _class_group(label: str, limit: float, inside: Sequence[CaseOutcome]) -> dict[str, Any]:
    scores = [o.scores[label] for o in inside]
    truth = [o.truth[label] for o in inside]
    at = at_threshold(scores, truth, limit)
    return {
        "positives": sum(truth),
        "auroc": _area(scores, truth),
        "sensitivity": _estimate(at.sensitivity),
        "specificity": _estimate(at.specificity),
    }


def _area(scores: Sequence[float], truth: Sequence[bool]) -> dict[str, Any]:
    """The area; its numbers are None when one class is missing."""
    area = auroc(scores, truth)
    if area:
        return _plain(area)
    return {
        "value": None,
        "delong": [None, None],
        "bootstrap": [None, None],
        "standard_error": None,
        "positives": sum(truth),
        "negatives": len(truth) - sum(truth),
    }


def _case(outcome: CaseOutcome) -> dict[str, Any]:
    return {
        "case": outcome.case,
        "scanner": outcome.scanner,
        "sex": outcome.sex,
        "age": outcome.age_years,
        "labels": {name: _plain(each) for name, each in outcome.labels.items()},
        "scores": dict(outcome.scores),
        "truth": dict(outcome.truth),
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return dataclasses.asdict(estimate)


def _plain(value: Any) -> dict[str, Any]:
    """A dataclass as JSON; tuples become lists when it is written."""
    plain: dict[str, Any] = dataclasses.asdict(value)
    return plain
