"""Quality checks: a look is asked for, or values are taken away with a reason."""

import pytest
from pydantic import ValidationError

from ennead import codes
from ennead.findings import Finding, Measurement, Refusal
from ennead.plugins.qc import QualityCheck
from ennead.testing.sample import sample_package
from ennead_pipelines.run.qc import quality_checked


def finding(volume: float, mean: float) -> Finding:
    return Finding(
        id="bright-1",
        label="Bright",
        finding=codes.sct("39607008", "Lung"),
        category=codes.ANATOMICAL_STRUCTURE,
        series_uid="2.25.1",
        measurements=(
            Measurement("volume", codes.VOLUME, volume, codes.CUBIC_CENTIMETRE),
            Measurement("mean_hu", codes.VOLUME, mean, codes.HOUNSFIELD),
        ),
    )


def checked(size: float, hu: float, **rules: dict) -> list:
    manifest = sample_package().manifest
    assert manifest is not None
    qc = {name: QualityCheck.model_validate(rule) for name, rule in rules.items()}
    return quality_checked([finding(size, hu)], manifest.model_copy(update={"qc": qc}))


@pytest.mark.parametrize(
    ("volume", "marked"), [(0.5, False), (0.49, True), (2.0, False), (2.01, True)]
)
def test_a_look_is_asked_for_outside_the_range(volume, marked) -> None:
    [found] = checked(volume, 1.0, volume={"min": 0.5, "max": 2.0})
    assert [q.value for q in found.qualifiers] == (["check-wanted"] if marked else [])
    assert len(found.measurements) == 2


def test_values_are_taken_away_with_a_reason() -> None:
    rule = {"max": 2.0, "else": "refuse", "text": "refusal.size", "outputs": ["mean_hu"]}
    found, refusal = checked(3.0, 1.0, volume=rule)
    assert [m.id for m in found.measurements] == ["volume"]
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.subject, refusal.text_key) == (
        "TECHNIQUE",
        "mean_hu",
        "refusal.size",
    )
    assert refusal.values == {"value": 3.0, "rule_max": 2.0}


def test_a_finding_that_loses_everything_is_dropped() -> None:
    rule = {"max": 2.0, "else": "refuse", "text": "t", "outputs": ["volume", "mean_hu"]}
    found = checked(3.0, 1.0, volume=rule)
    assert [type(r).__name__ for r in found] == ["Refusal", "Refusal"]


def test_nothing_changes_without_checks_or_inside_them() -> None:
    assert checked(3.0, 1.0) == [finding(3.0, 1.0)]
    assert checked(1.0, 1.0, volume={"max": 2.0}) == [finding(1.0, 1.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"max": 1.0, "else": "refuse"},
        {"max": 1.0, "text": "x"},
        {"max": 1.0, "else": "hide"},
        {"maximum": 1.0},
    ],
)
def test_incomplete_checks_are_errors(wrong) -> None:
    with pytest.raises(ValidationError):
        QualityCheck.model_validate(wrong)
