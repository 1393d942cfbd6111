"""A package that keeps every rule, and one broken rule at a time."""

import pytest

from ennead.errors import ManifestInvalid
from ennead.plugins.quality import RULES, read_claims
from ennead_pipelines.quality import check_quality


def test_a_package_that_keeps_its_rules(tiny) -> None:
    report = check_quality(tiny())
    outcomes = {v.rule: v.outcome for v in report.verdicts}
    assert set(outcomes) == {r.id for r in RULES if r.level != "gold"}
    assert set(outcomes.values()) == {"ok", "claimed", "exempt"}
    assert (report.claimed, report.reached, report.good) == ("silver", "silver", True)
    [comparison] = report.comparisons
    assert comparison.passed


@pytest.mark.parametrize(
    ("rule", "file", "change", "said"),
    [
        (
            "runs_on_phantom",
            "pipeline.py",
            ("volume = context", "volume = 1 / 0; context"),
            "ZeroD",
        ),
        (
            "writes_declared_outputs_only",
            "pipeline.py",
            ('Measurement("mean"', 'Measurement("median"'),
            "median",
        ),
        (
            "deterministic",
            "pipeline.py",
            ("value, codes.HOUNSFIELD", "value + __import__('random').random(), codes.HOUNSFIELD"),
            "differ",
        ),
        ("refuses_with_texts_vi_en", "texts/en.toml", ("nothing =", "none ="), "refusal.nothing"),
        (
            "refuses_with_texts_vi_en",
            "texts/vi.toml",
            ("Không có gì sáng.", "Nothing is bright."),
            "translate",
        ),
        (
            "refuses_with_texts_vi_en",
            "texts/vi.toml",
            ("gì sáng", "gì sáng {limit}"),
            "placeholders",
        ),
        (
            "refuses_with_texts_vi_en",
            "package.toml",
            ('title = { vi = "Trung bình", en = "Mean" }', 'title = { en = "Mean" }'),
            "output mean has no vi",
        ),
        ("methods_documented", "package.toml", (":mean_above", ":mean_below"), "no function"),
        ("readme", "README.md", ("## Input", "## Data"), "goes in"),
        ("light_discovery", "__init__.py", ('"""Tiny."""', "import numpy"), "numpy"),
        (
            "contract_only",
            "mean.py",
            ('"""One measurement."""', "from ennead.database import Database"),
            "ennead.database",
        ),
        ("reference_case", "package.toml", ("value = 100.0", "value = 90.0"), "expected 90"),
        (
            "methods_cite_sources",
            "mean.py",
            ("Definition: arithmetic mean.", "The usual one."),
            "cite a source",
        ),
        ("thresholds_used", "package.toml", ("default = -500.0", "default = 500.0"), "bounds"),
        ("documented_failure_modes", "README.md", ("* It knows no organ.", ""), "Limits"),
    ],
)
def test_one_broken_rule_is_found_and_told(tiny, rule, file, change, said) -> None:
    report = check_quality(tiny({file: change}))
    failed = {v.rule: v.detail for v in report.verdicts if v.outcome == "FAIL"}
    assert said in failed[rule]
    assert not report.good
    level = next(r.level for r in RULES if r.id == rule)
    assert report.reached == (None if level == "bronze" else "bronze")


def test_thresholds_that_are_used_must_be_declared(tiny) -> None:
    change = ('context.thresholds["darkest"]', 'context.thresholds.get("darkest")')
    assert check_quality(tiny({"pipeline.py": change})).good
    both = ('id = "darkest"', 'id = "other"')
    report = check_quality(tiny({"package.toml": both}))
    [failed] = [v for v in report.verdicts if v.rule == "thresholds_used"]
    assert 'thresholds["darkest"] is used but not declared' in failed.detail
    assert "threshold other is never used" in failed.detail


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "cannot be read"),
        (('scale = "silver"', 'scale = "gold"'), "gold is claimed without"),
        (('readme = "done"\n', ""), "bronze is claimed without readme"),
        (('scale = "silver"', 'scale = "bronze"'), "make them one"),
        (('readme = "done"', 'readability = "done"'), "no rule"),
        (
            (
                'golden_measurements = { done = "tests/test_tiny.py" }',
                'golden_measurements = "done"',
            ),
            "nothing here can check",
        ),
        (('exempt = "it measures nothing of use"', 'exempt = "no"'), "at least 10"),
    ],
)
def test_a_claim_without_its_rules_counts_for_nothing(tiny, change, said) -> None:
    report = check_quality(tiny({"quality.toml": change}))
    assert said in report.error
    assert (report.reached, report.good) == (None, False)


def test_a_level_of_exemptions_is_no_level(tiny) -> None:
    quality = (tiny().folder / "quality.toml").read_text()
    silver = quality[quality.index("[silver]") :]
    why = '{ exempt = "nobody has had the time" }'
    names = [r.id for r in RULES if r.level == "silver"]
    exempt = "[silver]\n" + "".join(f"{name} = {why}\n" for name in names)
    report = check_quality(tiny({"quality.toml": (silver, exempt)}))
    assert (report.reached, report.good) == ("bronze", False)


def test_the_claims_of_every_package_here() -> None:
    from ennead.plugins import discover_packages

    for package in discover_packages():
        if package.folder and package.distribution == "ennead":
            assert package.manifest is not None
            assert read_claims(package.folder / "quality.toml").scale == package.manifest.quality


def test_a_broken_package_cannot_be_judged(tiny) -> None:
    import dataclasses

    with pytest.raises(ManifestInvalid, match="it is broken"):
        check_quality(dataclasses.replace(tiny(), manifest=None, error="it is broken"))
