"""One package against one study: what is chosen, what is refused and why."""

from typing import Any

import pytest

from ennead.contracts import InstanceRecord, SeriesRecord
from ennead.findings import RefusalCode
from ennead.plugins import Manifest
from ennead.testing.sample import sample_package
from ennead_pipelines.select import Candidate, Selection, match
from ennead_pipelines.select.checks import LOSSY_SYNTAXES

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def candidate(
    number: int = 1,
    slices: int = 8,
    *,
    modality: str = "CT",
    syntax: str = EXPLICIT,
    sop_class: str = CT_IMAGE,
    frames: int = 1,
    spacing_mm: float = 2.0,
    **changes: Any,
) -> Candidate:
    uid = f"1.2.{number}"
    tags: dict[str, list[Any]] = {
        "00080008": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "00180015": ["CHEST"],
        "00180060": [120],
        "00281052": [-1024],
        "00281053": [1],
        "00281054": ["HU"],
        "00200037": [1, 0, 0, 0, 1, 0],
        "00280030": [1, 1],
        "00280010": [16],
        "00280011": [16],
        "00200052": ["1.9"],
    }
    tags |= {f"{int(k[1:], 16):08X}": v for k, v in changes.items()}
    headers = []
    for k in range(slices):
        here = {**tags, "00200032": [0, 0, k * spacing_mm]}
        headers.append({t: {"vr": "UN", "Value": v} for t, v in here.items() if v})
    instances = [
        InstanceRecord(
            "1.2",
            uid,
            f"{uid}.{k}",
            sop_class,
            syntax,
            k,
            frames,
            1,
            f"{k:064x}",  # type: ignore[arg-type]
        )
        for k in range(slices)
    ]
    record = SeriesRecord("1.2", uid, modality, number, "Thorax", "CHEST", slices)  # type: ignore[arg-type]
    return Candidate(record, instances, headers)


@pytest.fixture
def manifest() -> Manifest:
    found = sample_package().manifest
    assert found is not None
    return found


def reasons(selection: Selection) -> list[str]:
    assert not selection.runnable
    return [str(refusal.code) for refusal in selection.refusals]


def test_a_fitting_series_is_chosen(manifest: Manifest) -> None:
    selection = match(manifest, [candidate()])
    assert selection.runnable
    assert selection.inputs["ct"].stack is not None
    assert selection.refusals == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"modality": "MR"}, "MODALITY"),
        ({"modality": "RTSTRUCT"}, "MODALITY"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.2.1", "frames": 300}, "MODALITY"),
        ({"t00180015": ["HEAD"]}, "BODY_PART"),
        ({"t00080008": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "NOT_ORIGINAL"),
        ({"t00080008": ["DERIVED", "PRIMARY", "AXIAL"]}, "NOT_ORIGINAL"),
        ({"t00080008": ["ORIGINAL", "SECONDARY", "AXIAL"]}, "NOT_ORIGINAL"),
        ({"t00280301": ["YES"]}, "NOT_ORIGINAL"),
        ({"t00282110": ["01"]}, "LOSSY"),
        ({"syntax": "1.2.840.10008.1.2.4.50"}, "LOSSY"),
        ({"syntax": "1.2.840.10008.1.2.4.91"}, "LOSSY"),
        ({"t00281053": []}, "INTENSITY_UNITS"),
        ({"t00281052": []}, "INTENSITY_UNITS"),
        ({"t00281054": ["US"]}, "INTENSITY_UNITS"),
        ({"t00280002": [3]}, "INTENSITY_UNITS"),
        ({"slices": 3}, "COVERAGE"),
        ({"t00200037": []}, "GEOMETRY_MISSING"),
        ({"t00200052": []}, "GEOMETRY_MISSING"),
        ({"t00181120": [18.5]}, "GEOMETRY_NONUNIFORM"),
        ({"spacing_mm": 6.0}, "TECHNIQUE"),
    ],
)
def test_refusals(manifest: Manifest, changes: dict[str, Any], code: str) -> None:
    selection = match(manifest, [candidate(**changes)])
    assert reasons(selection) == [code, "NO_SERIES"]
    assert selection.refusals[0].series_uid == "1.2.1"


@pytest.mark.parametrize(
    "syntax",
    [EXPLICIT, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
    + [f"1.2.840.10008.1.2.{n}" for n in ("5", "4.57", "4.70", "4.80", "4.90", "4.201")],
)
def test_lossless_syntaxes_are_taken(manifest: Manifest, syntax: str) -> None:
    assert syntax not in LOSSY_SYNTAXES
    assert match(manifest, [candidate(syntax=syntax)]).runnable


def test_absent_rescale_type_and_body_part_are_taken(manifest: Manifest) -> None:
    assert match(manifest, [candidate(t00281054=[], t00180015=[])]).runnable


@pytest.mark.parametrize("kvp", [[80], [], ["unknown"]])
def test_an_output_level_rule_declines_its_outputs_only(manifest: Manifest, kvp: list[Any]) -> None:
    selection = match(manifest, [candidate(t00180060=kvp)])
    assert selection.runnable
    (refusal,) = selection.refusals
    assert (refusal.code, refusal.subject) == (RefusalCode.TECHNIQUE, "mean_hu")
    assert refusal.text_key == "refusal.kvp"
    assert (refusal.values["rule_min"], refusal.values["rule_max"]) == (100.0, 140.0)
    assert refusal.series_uid == "1.2.1"


def test_the_series_that_costs_no_output_ranks_first_then_the_preference(
    manifest: Manifest,
) -> None:
    study = [candidate(1, 20, t00180060=[80]), candidate(2, 8), candidate(3, 10), candidate(4, 10)]
    selection = match(manifest, study)
    states = {c.candidate.record.number: c.state for c in selection.choices}
    assert states == {1: "eligible", 2: "eligible", 3: "chosen", 4: "eligible"}


def test_all_reasons_of_a_series_are_told(manifest: Manifest) -> None:
    selection = match(
        manifest, [candidate(slices=1, syntax="1.2.840.10008.1.2.4.51", t00180015=["HEAD"])]
    )
    assert reasons(selection) == ["BODY_PART", "LOSSY", "COVERAGE", "NO_SERIES"]


def test_geometry_is_told_before_the_number_of_slices(manifest: Manifest) -> None:
    selection = match(manifest, [candidate(slices=2, spacing_mm=0.0)])
    assert reasons(selection) == ["GEOMETRY_NONUNIFORM", "COVERAGE", "NO_SERIES"]


def test_an_empty_study_is_refused_with_a_reason(manifest: Manifest) -> None:
    assert reasons(match(manifest, [])) == ["NO_SERIES"]


def test_other_modalities_do_not_hide_the_nearest_reason(manifest: Manifest) -> None:
    study = [candidate(1, modality="SR"), candidate(2, t00282110=["01"])]
    assert reasons(match(manifest, study)) == ["LOSSY", "NO_SERIES"]
