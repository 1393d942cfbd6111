"""What a package's page says of probes, priors, facts, anatomy and checks, in both languages."""

import pytest

from ennead.plugins import ProbeRule
from ennead.plugins.qc import QualityCheck
from ennead.testing.asking import asking_package
from ennead_pipelines.api.packages import details


@pytest.fixture
def manifest():
    package = asking_package()
    probe = ProbeRule.model_validate(
        {"id": "part", "kind": "body_part", "one_of": ["chest"], "code": "BODY_PART",
         "text": "refusal.body_part"}
    )  # fmt: skip
    rule = package.manifest.input[0].model_copy(update={"probe": [probe]})
    check = {"max": 1.0, "else": "refuse", "text": "refusal.few_slices"}
    return package.manifest.model_copy(
        update={
            "input": [rule, package.manifest.input[1]],
            "qc": {"change": QualityCheck.model_validate(check)},
        }
    )


def test_everything_is_said(manifest) -> None:
    said = details(manifest, "en", None)
    image, before = said["inputs"]
    assert any("body, bones" in rule for rule in image["rules"])
    assert before == {
        "name": "before",
        "modality": [],
        "body_part": [],
        "optional": True,
        "rules": ["Findings of this package for the same patient within 1000 days."],
    }
    assert said["clinical"] == {"requires": ["sex"], "uses": ["weight"]}
    assert {r["code"] for r in said["refusals"]} == {"BODY_PART", "CLINICAL_FACT", "TECHNIQUE"}
    assert not any("{" in r["text"] for r in said["refusals"])


def test_and_in_vietnamese(manifest) -> None:
    said = details(manifest, "vi", None)
    assert said["clinical"]["requires"] == ["giới tính"]
    assert any("giới tính" in r["text"] for r in said["refusals"])
    assert "1000 ngày" in said["inputs"][1]["rules"][0]


def test_a_needed_prior_is_among_the_refusals(manifest) -> None:
    needed = manifest.input[1].model_copy(update={"optional": False})
    changed = manifest.model_copy(update={"input": [manifest.input[0], needed]})
    assert "PRIOR" in {r["code"] for r in details(changed, "en", None)["refusals"]}
