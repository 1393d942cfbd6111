"""Rules and thresholds against what is installed: ids that exist, values inside the bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ennead.errors import InputError, NotFound
from ennead.plugins import DiscoveredPackage, Manifest
from ennead_pipelines.site.problems import RuleProblem, refuse
from ennead_pipelines.site.rules import Rule


def check_rules(rules: Sequence[Rule], packages: Sequence[DiscoveredPackage]) -> None:
    """Refuse rules that name what is not here; a rule that is off may.

    Raises
    ------
    RuleInvalid
    """
    manifests = {p.id: p.manifest for p in packages}
    problems = [
        each
        for position, rule in enumerate(rules, 1)
        if rule.enabled
        for each in _problems(position, rule, manifests)
    ]
    if problems:
        raise refuse(problems)


def check_thresholds(manifest: Manifest, values: Mapping[str, float]) -> None:
    """Refuse values that the manifest does not allow.

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
        if not low <= value <= high:
            raise InputError(
                f"Threshold {name!r} of {manifest.id!r} must lie between {low:g} and {high:g}; "
                f"got {value:g}. Choose a value inside, or leave the default "
                f"{rules[name].default:g}."
            )


def _problems(
    position: int, rule: Rule, manifests: Mapping[str, Manifest | None]
) -> Iterator[RuleProblem]:
    known = ", ".join(sorted(manifests)) or "–"
    for package in rule.condition.package:
        if package not in manifests:
            values = {"value": package, "known": known}
            yield RuleProblem(
                position, rule.name, "condition.package", "rules.error.unknown_package", values
            )
            continue
        manifest = manifests[package]
        bounds = {t.id: t.site_bounds for t in manifest.threshold} if manifest else {}
        for name, value in rule.action.thresholds.items():
            where = f"action.thresholds.{name}"
            if name not in bounds:
                shown = {"value": name, "package": package, "known": ", ".join(bounds) or "–"}
                yield RuleProblem(
                    position, rule.name, where, "rules.error.unknown_threshold", shown
                )
            elif not bounds[name][0] <= value <= bounds[name][1]:
                low, high = bounds[name]
                outside: dict[str, str | int | float] = {
                    "value": float(value),
                    "package": package,
                    "low": float(low),
                    "high": float(high),
                }
                yield RuleProblem(position, rule.name, where, "rules.error.outside_bounds", outside)
