"""One package and one study against the site's rules and thresholds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from ennead.findings import Refusal, RefusalCode
from ennead.plugins import Manifest
from ennead_pipelines.lanes import Lane
from ennead_pipelines.select import Selection
from ennead_pipelines.site.facts import StudyFacts
from ennead_pipelines.site.rules import LANES, PRIORITIES, Action, Rule

_NO_ACTION: Final = Action()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the site wants for one package and one study.

    Parameters
    ----------
    rule : str
        Name of the rule that decided; "" when none did. ``position`` counts from 1, then 0.
    refusal : Refusal or None
        Why it does not run, where the site's own word stops it.
    not_before : datetime
        Aware, in the site's time zone; later than the decision only off-peak.
    delayed : bool
        It is later.
    by_rule : mapping
        Those thresholds that the rule itself set.
    """

    rule: str
    position: int
    refusal: Refusal | None
    priority: int
    not_before: dt.datetime
    delayed: bool
    lane: Lane
    thresholds: Mapping[str, float]
    by_rule: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SiteControl:
    """Rules in their order and thresholds by package, as they stand or as proposed.

    Parameters
    ----------
    revision : int
        Of the rules; 0 before any were written.
    thresholds : mapping
        Package id → threshold id → the site's value.
    """

    zone: ZoneInfo
    rules: Sequence[Rule] = ()
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    revision: int = 0

    def decide(
        self,
        manifest: Manifest,
        selection: Selection,
        study: StudyFacts,
        at: dt.datetime,
        *,
        lane: Lane = Lane.ACTIVE,
        urgent: bool = False,
    ) -> Decision:
        """The first enabled rule whose condition holds decides; without one, routine.

        Parameters
        ----------
        at : datetime
            Aware: when the study was complete.
        lane : Lane
            How far the package has been released; a rule can only hold it back further.
        urgent : bool
            The request was marked STAT: first, whatever the rule's priority.
        """
        chosen = [each.candidate.record.series_uid for each in selection.inputs.values()]
        uids = chosen or [c.candidate.record.series_uid for c in selection.choices]
        seen = [study.series[uid] for uid in dict.fromkeys(uids) if uid in study.series]
        position, rule = next(
            (
                (n, rule)
                for n, rule in enumerate(self.rules, 1)
                if rule.enabled and rule.condition.holds(manifest.id, study, seen, at, self.zone)
            ),
            (0, None),
        )
        action = rule.action if rule else _NO_ACTION
        thresholds, refusal = self._thresholds(manifest, rule)
        if rule and not action.run:
            key = "rules.reason.not_run_note" if rule.note else "rules.reason.not_run"
            values = {"rule": rule.name, "note": rule.note} if rule.note else {"rule": rule.name}
            refusal = Refusal(RefusalCode.SITE_RULE, "", key, values)
        window = None if urgent else action.window
        begins = window.next_start(at, self.zone) if window else at
        return Decision(
            rule=rule.name if rule else "",
            position=position,
            refusal=refusal,
            priority=PRIORITIES["stat" if urgent else action.priority],
            not_before=begins.astimezone(self.zone),
            delayed=begins > at,
            lane=Lane(max((lane, action.lane or lane), key=LANES.index)),
            thresholds=thresholds,
            by_rule={k: v for k, v in thresholds.items() if k in action.thresholds},
        )

    def needs_headers(self, study: StudyFacts) -> bool:
        """Whether a rule asks for what the index does not hold of this study."""
        conditions = [rule.condition for rule in self.rules if rule.enabled]
        unknown_age = study.age_years is None
        return any(c.manufacturer or (c.age_years and unknown_age) for c in conditions)

    def _thresholds(
        self, manifest: Manifest, rule: Rule | None
    ) -> tuple[dict[str, float], Refusal | None]:
        """The rule's value, else the site's, else the manifest's; never one outside the bounds."""
        own = self.thresholds.get(manifest.id, {})
        by_rule = rule.action.thresholds if rule else {}
        found: dict[str, float] = {}
        refusal = None
        for threshold in manifest.threshold:
            value = float(by_rule.get(threshold.id, own.get(threshold.id, threshold.default)))
            low, high = threshold.site_bounds
            found[threshold.id] = value
            given = threshold.id in by_rule or threshold.id in own
            if given and not low <= value <= high and refusal is None:
                values: dict[str, str | int | float] = {
                    "threshold": threshold.id,
                    "value": value,
                    "low": float(low),
                    "high": float(high),
                    "version": manifest.version,
                }
                refusal = Refusal(RefusalCode.SITE_RULE, "", "rules.reason.outside_bounds", values)
        return found, refusal
