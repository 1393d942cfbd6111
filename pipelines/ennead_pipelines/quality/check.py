"""All rules of one package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ennead.errors import ManifestInvalid
from ennead.plugins import DiscoveredPackage, Manifest
from ennead.plugins.quality import (
    LEVELS,
    RULES,
    Done,
    Exempt,
    Level,
    QualityClaims,
    Rule,
    read_claims,
)
from ennead_pipelines.anatomy import DEFAULT
from ennead_pipelines.quality import imports, methods, texts, thresholds
from ennead_pipelines.quality import readme as pages
from ennead_pipelines.quality.running import Runs, run_twice
from ennead_pipelines.quality.sources import Sources, read_sources
from ennead_pipelines.quality.verdict import Problems, Verdict
from ennead_pipelines.reference import Comparison
from ennead_pipelines.sandbox import SandboxPlan


@dataclass(frozen=True, slots=True)
class Report:
    """What a package claims and what it reaches.

    Parameters
    ----------
    claimed : str
        ``quality`` of ``package.toml``.
    error : str
        Why its ``quality.toml`` counts for nothing; "" when it does.
    """

    claimed: Level
    verdicts: tuple[Verdict, ...]
    comparisons: tuple[Comparison, ...]
    error: str = ""

    @property
    def reached(self) -> Level | None:
        """The highest level, up to the claimed one, whose rules are kept; None without any.

        A few rules may be exempt: fewer than are kept. A level of exemptions is no level.
        """
        reached: Level | None = None
        for level in LEVELS[: LEVELS.index(self.claimed) + 1]:
            mine = [v.outcome for v in self.verdicts if v.level == level]
            complete = len(mine) == sum(rule.level == level for rule in RULES)
            exempt = mine.count("exempt")
            if self.error or not complete or "FAIL" in mine or exempt >= len(mine) - exempt:
                break
            reached = level
        return reached

    @property
    def good(self) -> bool:
        """Whether what is claimed is reached."""
        reached = LEVELS.index(self.reached) if self.reached else -1
        return reached >= LEVELS.index(self.claimed)


def check_quality(
    package: DiscoveredPackage,
    plan: SandboxPlan | None = None,
    anatomy: Sequence[str] = DEFAULT,
) -> Report:
    """Judge every stated rule; rules of levels that are not claimed are judged where stated.

    Raises
    ------
    ManifestInvalid
        The package itself is broken.
    """
    manifest, folder = package.manifest, package.folder
    if manifest is None or folder is None:
        raise ManifestInvalid(f"package {package.id!r} is broken: {package.error}")
    runs = run_twice(manifest, plan, anatomy)
    comparisons = tuple(runs.comparisons)
    try:
        claims = read_claims(folder / "quality.toml")
    except ManifestInvalid as error:
        return Report(manifest.quality, (), comparisons, error.message)
    if claims.scale != manifest.quality:
        said = f"package.toml claims {manifest.quality}, quality.toml {claims.scale}; make them one"
        return Report(manifest.quality, (), comparisons, said)
    checks = _checks(package, manifest, read_sources(folder), runs)
    verdicts = tuple(
        _verdict(rule, claims, checks) for rule in RULES if rule.id in claims.of(rule.level)
    )
    return Report(manifest.quality, verdicts, comparisons)


def _checks(
    package: DiscoveredPackage, manifest: Manifest, sources: Sources, runs: Runs
) -> dict[str, Callable[[], Problems]]:
    assert package.folder is not None
    folder = package.folder
    text = pages.find_readme(folder, package.distribution)
    return {
        "runs_on_phantom": lambda: runs.failed,
        "writes_declared_outputs_only": lambda: runs.undeclared,
        "deterministic": lambda: runs.differs,
        "reference_case": runs.reference_case,
        "refuses_with_texts_vi_en": lambda: texts.refuses_with_texts_vi_en(
            manifest, folder, sources
        ),
        "methods_documented": lambda: methods.methods_documented(manifest, sources),
        "methods_cite_sources": lambda: methods.methods_cite_sources(manifest, sources),
        "readme": lambda: pages.readme(text),
        "documented_failure_modes": lambda: pages.documented_failure_modes(text),
        "light_discovery": lambda: imports.light_discovery(sources),
        "contract_only": lambda: imports.contract_only(sources),
        "thresholds_used": lambda: thresholds.thresholds_used(manifest, sources),
    }


def _verdict(
    rule: Rule, claims: QualityClaims, checks: dict[str, Callable[[], Problems]]
) -> Verdict:
    state = claims.of(rule.level)[rule.id]
    if isinstance(state, Exempt):
        return Verdict(rule.id, rule.level, "exempt", state.exempt)
    said = state.done if isinstance(state, Done) else ""
    if rule.id not in checks:
        return Verdict(rule.id, rule.level, "claimed", said)
    problems = list(checks[rule.id]())
    if problems:
        return Verdict(rule.id, rule.level, "FAIL", "; ".join(problems))
    return Verdict(rule.id, rule.level, "ok", said or rule.text)
