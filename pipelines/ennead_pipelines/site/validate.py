"""Rules and thresholds against what is installed: ids that exist, values inside the bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ennead.errors import InputError, NotFound
from ennead.plugins import DiscoveredPackage, Manifest
from ennead.plugins.outputs import ThresholdRule
from ennead_pipelines.site.problems import RuleProblem, refuse
from ennead_pipelines.site.rules import Rule


def check_rules(rules: Sequence[Rule], packages: Sequence[DiscoveredPackage]) -> None:
    """Refuse rules that name what is not here; a rule that is off may.

    Of a model several versions may be here; a threshold must fit one of them.

    Raises
    ------
    RuleInvalid
    """
    thresholds: dict[str, dict[str, list[ThresholdRule]]] = {}
    for package in packages:
        mine = thresholds.setdefault(package.id, {})
        for each in package.manifest.threshold if package.manifest else ():
            mine.setdefault(each.id, []).append(each)
    problems = [
        each
        for position, rule in enumerate(rules, 1)
        if rule.enabled
        for each in _problems(position, rule, thresholds)
    ]
    if problems:
        raise refuse(problems)


def check_thresholds(manifest: Manifest, values: Mapping[str, float | None]) -> None:
    """Refuse values that the manifest does not allow; None stands for its default.

    Raises
    ------
    NotFound
        The package has no such threshold.
    InputError
        A value lies outside the bounds.
    """
    rules = {t.id: t for t in manifest.threshold}
    for name, value in values.items():
        if name not in rules:
            known = ", ".join(rules) or "none"
            raise NotFound(
                f"Package {manifest.id!r} has no threshold {name[:40]!r}; it has {known}."
            )
        low, high = rules[name].site_bounds
        if value is not None and not low <= value <= high:
            raise InputError(
                f"Threshold {name!r} of {manifest.id!r} must lie between {low:g} and {high:g}; "
                f"got {value:g}. Choose a value inside, or leave the default "
                f"{rules[name].default:g}."
            )


def _problems(
    position: int, rule: Rule, thresholds: Mapping[str, Mapping[str, Sequence[ThresholdRule]]]
) -> Iterator[RuleProblem]:
    for package in rule.condition.package:
        if package not in thresholds:
            known = ", ".join(sorted(thresholds)) or "–"
            values: dict[str, str | int | float] = {"value": package, "known": known}
            yield RuleProblem(
                position, rule.name, "condition.package", "rules.error.unknown_package", values
            )
            continue
        for name, value in rule.action.thresholds.items():
            where = f"action.thresholds.{name}"
            declared = thresholds[package].get(name)
            if not declared:
                known = ", ".join(thresholds[package]) or "–"
                values = {"value": name, "package": package, "known": known}
                yield RuleProblem(
                    position, rule.name, where, "rules.error.unknown_threshold", values
                )
            elif not any(t.site_bounds[0] <= value <= t.site_bounds[1] for t in declared):
                low, high = declared[0].site_bounds
                values = {
                    "value": float(value),
                    "package": package,
                    "low": float(low),
                    "high": float(high),
                }
                yield RuleProblem(position, rule.name, where, "rules.error.outside_bounds", values)
