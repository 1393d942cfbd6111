"""A test's answer as JSON, in the reader's language (docs/reference/rules.md)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ennead.findings import Refusal
from ennead.texts import translate
from ennead_pipelines.render import number, render, title
from ennead_pipelines.select import Choice
from ennead_pipelines.site.plan import PackagePlan
from ennead_pipelines.site.replay import Change, Replay, ReplayedPackage, ReplayedStudy
from ennead_pipelines.site.say import priority_name


def replay_json(made: Replay, language: str) -> dict[str, Any]:
    """``elapsed_s``, ``summary``, ``rules``, ``missing``, ``studies``."""
    packages = [each for study in made.studies for each in study.packages]
    outcomes = Counter(each.planned.outcome for each in packages)
    decided = Counter(
        each.planned.decision.position for each in packages if each.planned.outcome != "refused"
    )
    return {
        "revision": made.control.revision,
        "time_zone": made.control.zone.key,
        "elapsed_s": round(made.elapsed_s, 3),
        "summary": {
            "studies": len(made.studies),
            "run": outcomes["run"],
            "refused": outcomes["refused"],
            "skipped": outcomes["skipped"],
            "different": sum(1 for each in packages if each.changes),
        },
        "rules": [
            {"position": position, "name": rule.name, "decided": decided[position]}
            for position, rule in enumerate(made.control.rules, 1)
        ],
        "missing": list(made.missing),
        "studies": [_study(each, language) for each in made.studies],
    }


def _study(study: ReplayedStudy, language: str) -> dict[str, Any]:
    row = study.row
    facts = study.packages[0].planned.facts if study.packages else None
    sources = {each.source for each in facts.series.values() if each.source} if facts else set()
    return {
        "study_uid": row.study_uid,
        "at": utc(study.at),
        "study_date": row.study_date,
        "description": row.description,
        "modalities": [m for m in row.modalities.split("\\") if m],
        "sources": sorted(sources),
        "packages": [_package(each, language) for each in study.packages],
    }


def _package(each: ReplayedPackage, language: str) -> dict[str, Any]:
    planned, happened = each.planned, each.happened
    decision, folder = planned.decision, planned.package.folder
    refusals = planned.effective.refusals
    rule = {"position": decision.position, "name": decision.rule}
    return {
        "package": planned.manifest.id,
        "title": title(planned.manifest.title, language, planned.manifest.id),
        "version": planned.manifest.version,
        "outcome": planned.outcome,
        "reason": "" if planned.outcome == "run" else _said(refusals[0], language, folder),
        "rule": rule if decision.rule and planned.outcome != "refused" else None,
        "priority": priority_name(decision.priority),
        "not_before": utc(decision.not_before),
        "lane": str(decision.lane),
        "thresholds": dict(decision.thresholds),
        "series": [_series(c, planned, language) for c in planned.selection.choices],
        "refusals": [_refusal(r, planned, language) for r in refusals],
        "happened": {
            "job": happened.job,
            "state": happened.state,
            "outcome": happened.outcome,
            "version": happened.version,
            "rule": happened.rule,
            "priority": priority_name(happened.priority),
            "lane": happened.lane,
            "thresholds": dict(happened.thresholds),
        }
        if happened
        else None,
        "changes": [_change(change, language) for change in each.changes],
    }


def _series(choice: Choice, planned: PackagePlan, language: str) -> dict[str, Any]:
    record = choice.candidate.record
    facts = planned.facts.series.get(record.series_uid)
    folder = planned.package.folder
    return {
        "input": choice.input,
        "series_uid": record.series_uid,
        "number": record.number,
        "description": record.description,
        "modality": record.modality,
        "source": facts.source if facts else "",
        "state": choice.state,
        "reasons": [render(r.text_key, language, r.values, folder) for r in choice.reasons],
    }


def _refusal(refusal: Refusal, planned: PackagePlan, language: str) -> dict[str, Any]:
    output = planned.manifest.output_rule(refusal.subject)
    return {
        "code": str(refusal.code),
        "subject": refusal.subject,
        "subject_title": title(output.title, language, refusal.subject) if output else "",
        "text": _said(refusal, language, planned.package.folder),
        "series_uid": refusal.series_uid,
    }


def _said(refusal: Refusal, language: str, folder: Path | None) -> str:
    return render(refusal.text_key, language, refusal.values, folder)


def _change(change: Change, language: str) -> dict[str, Any]:
    names: dict[str, Callable[[Any], str]] = {
        "outcome": lambda v: translate(f"rules.test.{v or 'none'}", language),
        "priority": lambda v: translate(f"rules.priority.{priority_name(v)}", language),
        "lane": lambda v: translate(f"rules.lane.{v}", language),
        "thresholds": lambda v: _thresholds(v, language),
    }
    shown = names.get(change.what, str)
    values = {"before": shown(change.before), "after": shown(change.after)}
    plain = priority_name if change.what == "priority" else lambda value: value
    return {
        "what": change.what,
        "before": plain(change.before),
        "after": plain(change.after),
        "text": translate(f"rules.change.{change.what}", language, values),
    }


def _thresholds(values: Mapping[str, float], language: str) -> str:
    return ", ".join(f"{name} = {_plain(value, language)}" for name, value in values.items()) or "–"


def _plain(value: float, language: str) -> str:
    text = f"{value:.6g}"
    decimals = len(text.partition(".")[2]) if "e" not in text else 6
    return number(value, decimals, language)


def utc(value: dt.datetime) -> str:
    """ISO 8601, UTC."""
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
