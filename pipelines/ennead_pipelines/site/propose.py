"""What a test tries in place of what is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ennead.errors import NotFound
from ennead.plugins import DiscoveredPackage
from ennead_pipelines.packages import PackageState
from ennead_pipelines.site.decide import SiteControl
from ennead_pipelines.site.rules import Rule
from ennead_pipelines.site.validate import check_rules, check_thresholds


@dataclass(frozen=True, slots=True)
class Proposal:
    """Packages that would be on, and the rules and thresholds that would be in force.

    Parameters
    ----------
    only : frozenset of str or None
        The packages that the test asks for; None takes all that are on.
    """

    packages: tuple[DiscoveredPackage, ...]
    control: SiteControl
    only: frozenset[str] | None = None


def propose(
    known: Sequence[PackageState],
    control: SiteControl,
    rules: Sequence[Rule] | None = None,
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
    packages: Sequence[str] | None = None,
) -> Proposal:
    """Replace what is given, checked as if it were to be put in force; None keeps what is.

    Thresholds replace those of the packages they name; others keep theirs.

    Raises
    ------
    RuleInvalid, InputError
        A rule or a threshold would be refused.
    NotFound
        No such package is installed, or it has no such threshold.
    """
    every = [state.package for state in known]
    by_id = {package.id: package for package in every}
    for name in (*(packages or ()), *(thresholds or {})):
        if name not in by_id:
            have = ", ".join(sorted(by_id)) or "none"
            raise NotFound(f"No package {name[:40]!r} is installed here; installed are: {have}.")
    if rules is not None:
        check_rules(rules, every)
    for name, values in (thresholds or {}).items():
        manifest = by_id[name].manifest
        if manifest is not None:
            check_thresholds(manifest, values)
    only = None if packages is None else frozenset(packages)
    on = tuple(
        state.package
        for state in known
        if state.package.usable and (state.enabled or state.package.id in (only or ()))
    )
    tried = SiteControl(
        zone=control.zone,
        rules=control.rules if rules is None else tuple(rules),
        thresholds={**control.thresholds, **(thresholds or {})},
        revision=control.revision,
    )
    return Proposal(on, tried, only)
