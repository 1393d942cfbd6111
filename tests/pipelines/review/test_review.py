"""Proposed, then decided by readers: the chain of documents and what each states."""

import datetime as dt
import io
import itertools
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from ennead.codes import dcm, private
from ennead.errors import InputError, MalformedObject, NotFound, UndeclaredOutput, UnusableObject
from ennead.identifiers import TrackingUID
from ennead.security import Principal
from ennead.security.principal import Role
from ennead.testing.results import small_grid
from ennead_pipelines.encode import EncodedResults, codes
from ennead_pipelines.encode.check import check_document
from ennead_pipelines.encode.tree import child_of, children_of
from ennead_pipelines.review import (
    REASONS,
    Decision,
    DecisionState,
    MeasurementGroup,
    encode_review,
    read_measurements,
)

ANH = Principal("anh", "Nguyễn Thị Ánh", frozenset({Role.RADIOLOGIST}))
BINH = Principal("binh", "Trần Bình", frozenset({Role.RADIOLOGIST}))
AT = dt.datetime(2026, 1, 5, 10, 0, tzinfo=dt.UTC)
HOSPITAL = "Bệnh viện Thử nghiệm"
ACCEPTED, EDITED, REJECTED = DecisionState.ACCEPTED, DecisionState.EDITED, DecisionState.REJECTED


@pytest.fixture
def proposed(encoded: Any) -> EncodedResults:
    results: EncodedResults = encoded(small_grid("oblique"))
    return results


def decide(
    proposed: EncodedResults, finding: str, state: DecisionState = ACCEPTED, **given: Any
) -> Decision:
    return Decision(finding, proposed.tracking_uids[finding], state, **given)


def review(proposed: EncodedResults, *decisions: Decision, **given: Any) -> Any:
    assert proposed.sr is not None
    options: dict[str, Any] = {"reader": ANH, "organisation": HOSPITAL, "at": AT, **given}
    return encode_review(proposed.sr, decisions, **options)


def groups_of(sr: bytes) -> dict[str, MeasurementGroup]:
    return {g.tracking_id.removeprefix("lung/"): g for g in read_measurements(sr)}


def dataset_of(sr: bytes) -> Dataset:
    return dcmread(io.BytesIO(sr))


def test_an_accepted_finding_keeps_its_values_and_gains_a_reader(proposed: EncodedResults) -> None:
    result = review(proposed, decide(proposed, "right-lung"))
    groups = groups_of(result.sr)
    assert list(groups) == ["right-lung"]
    before = groups_of(proposed.sr or b"")["right-lung"]
    after = groups["right-lung"]
    assert after.values == before.values
    assert after.tracking_uid == before.tracking_uid
    assert (after.seg_instance_uid, after.segment_numbers, after.key_image_uid) == (
        before.seg_instance_uid,
        before.segment_numbers,
        before.key_image_uid,
    )
    assert (after.decision, after.observer) == ("accepted", "Nguyễn Thị Ánh")
    assert not result.is_complete


def test_the_document_is_verified_by_a_named_person(proposed: EncodedResults) -> None:
    result = review(proposed, decide(proposed, "right-lung"))
    dataset, original = dataset_of(result.sr), dataset_of(proposed.sr or b"")
    assert dataset.SOPInstanceUID == result.sr_instance_uid != original.SOPInstanceUID
    assert dataset.SeriesInstanceUID == original.SeriesInstanceUID
    assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("VERIFIED", "FINAL")
    # PS3.3 §C.17.2 permits VERIFIED of complete documents only.
    assert dataset.CompletionFlag == "COMPLETE"
    assert dataset.CompletionFlagDescription == "1 of 4 findings reviewed"
    verifier = dataset.VerifyingObserverSequence[0]
    assert str(verifier.VerifyingObserverName) == "Nguyễn Thị Ánh"
    assert verifier.VerifyingOrganization == HOSPITAL
    assert str(verifier.VerificationDateTime) == AT.astimezone().strftime("%Y%m%d%H%M%S%z")
    identification = verifier.VerifyingObserverIdentificationCodeSequence[0]
    assert identification.CodeValue == "anh"
    assert child_of(dataset, codes.PERSON_NAME, "PNAME") is not None
    texts = [i.TextValue for i in children_of(dataset, value_type="TEXT")]
    assert "Quantifies emphysema." in texts
    assert not any("not verified" in t for t in texts)


def test_what_viewers_read_is_kept(proposed: EncodedResults) -> None:
    original = dataset_of(proposed.sr or b"")
    dataset = dataset_of(review(proposed, decide(proposed, "nodule")).sr)
    check_document(dataset)
    assert dataset.ConceptNameCodeSequence[0].CodeValue == "126000"
    library = child_of(dataset, codes.IMAGE_LIBRARY)
    assert library == child_of(original, codes.IMAGE_LIBRARY)
    keyword = "CurrentRequestedProcedureEvidenceSequence"
    assert dataset[keyword] == original[keyword]
    assert dataset.PatientID == original.PatientID


def test_an_edit_shows_both_values(proposed: EncodedResults) -> None:
    decision = decide(proposed, "right-lung", EDITED, values={"laa950": 12.0}, comment="tay")
    group = groups_of(review(proposed, decision).sr)["right-lung"]
    edited, kept = group.value("laa950"), group.value("volume")
    assert (edited.value, edited.ai_value) == (12.0, 30.0)
    assert edited.unit.value == "%"
    assert kept.value == 2345.678912345679 and kept.ai_value is None
    assert (group.decision, group.comment) == ("edited", "tay")


def test_an_edit_back_to_the_same_number_is_still_an_edit(proposed: EncodedResults) -> None:
    decision = decide(proposed, "right-lung", EDITED, values={"laa950": 30.0})
    group = groups_of(review(proposed, decision).sr)["right-lung"]
    assert group.value("laa950").ai_value == 30.0 and group.decision == "edited"


def test_a_rejection_keeps_no_numbers(proposed: EncodedResults) -> None:
    decisions = [
        decide(proposed, "right-lung", REJECTED, reason="poor-quality", comment="ảnh mờ"),
        decide(proposed, "nodule", REJECTED, reason="false-positive"),
    ]
    groups = groups_of(review(proposed, *decisions).sr)
    right = groups["right-lung"]
    assert right.values == () and right.decision == "rejected"
    assert right.reason == dcm("122742", "Poor image quality")
    assert right.comment == "ảnh mờ"
    assert right.finding.value == "39607008" and right.segment_numbers == (1,)
    assert groups["nodule"].qualifiers == ()
    assert groups["nodule"].reason == private("false-positive")


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_is_written(proposed: EncodedResults, reason: str) -> None:
    result = review(proposed, decide(proposed, "lungs", REJECTED, reason=reason))
    assert groups_of(result.sr)["lungs"].reason == REASONS[reason]


def test_predecessors_form_a_line_until_all_is_decided(proposed: EncodedResults) -> None:
    decisions: list[Decision] = []
    documents = [proposed.sr or b""]
    for finding in ("right-lung", "left-lung", "lungs", "nodule"):
        decisions.append(decide(proposed, finding))
        previous = documents[-1] if len(documents) > 1 else None
        result = review(proposed, *decisions, previous_sr=previous)
        documents.append(result.sr)
        assert result.is_complete == (finding == "nodule")
    datasets = [dataset_of(d) for d in documents]
    assert [len(read_measurements(d)) for d in documents[1:]] == [1, 2, 3, 4]
    for before, after in itertools.pairwise(datasets):
        study = after.PredecessorDocumentsSequence
        named = study[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert len(study) == len(named) == 1
        assert named[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
        assert after.InstanceNumber == before.InstanceNumber + 1
    assert len({d.SOPInstanceUID for d in datasets}) == 5
    assert datasets[-1].CompletionFlagDescription == "4 of 4 findings reviewed"


def test_each_group_keeps_the_reader_who_decided_it(proposed: EncodedResults) -> None:
    first = decide(proposed, "right-lung")
    second = decide(proposed, "left-lung", REJECTED, reason="wrong-site")
    one = review(proposed, first)
    two = review(proposed, first, second, previous_sr=one.sr, reader=BINH)
    groups = groups_of(two.sr)
    assert groups["right-lung"].observer == "Nguyễn Thị Ánh"
    assert groups["left-lung"].observer == "Trần Bình"
    names = [str(v.VerifyingObserverName) for v in dataset_of(two.sr).VerifyingObserverSequence]
    assert names == ["Nguyễn Thị Ánh", "Trần Bình"]


def test_a_changed_mind_starts_from_what_was_proposed(proposed: EncodedResults) -> None:
    rejected = decide(proposed, "right-lung", REJECTED, reason="other")
    one = review(proposed, rejected)
    edited = decide(proposed, "right-lung", EDITED, values={"volume": 2000.0})
    two = review(proposed, rejected, edited, previous_sr=one.sr, reader=BINH)
    group = groups_of(two.sr)["right-lung"]
    assert (group.decision, group.observer, group.reason) == ("edited", "Trần Bình", None)
    assert group.value("volume").ai_value == 2345.678912345679
    assert group.value("laa950").value == 30.0


def test_the_same_review_gives_the_same_bytes(proposed: EncodedResults) -> None:
    decision = decide(proposed, "right-lung")
    one, other = review(proposed, decision), review(proposed, decision)
    assert one == other
    later = review(proposed, decision, at=AT + dt.timedelta(hours=1))
    assert later.sr_instance_uid == one.sr_instance_uid and later.sr != one.sr
    assert review(proposed, decision, reader=BINH).sr_instance_uid != one.sr_instance_uid
    comment = decide(proposed, "right-lung", comment="x")
    assert review(proposed, comment).sr_instance_uid != one.sr_instance_uid


def test_names_cannot_break_a_person_name(proposed: EncodedResults) -> None:
    reader = Principal("x", "A\\B=C " + "D" * 80, frozenset())
    dataset = dataset_of(review(proposed, decide(proposed, "lungs"), reader=reader).sr)
    name = str(dataset.VerifyingObserverSequence[0].VerifyingObserverName)
    assert name.startswith("A B C D") and len(name) == 64


@pytest.mark.parametrize(
    ("state", "given"),
    [
        (EDITED, {}),
        (EDITED, {"values": {"laa950": float("nan")}}),
        (ACCEPTED, {"values": {"laa950": 1.0}}),
        (REJECTED, {}),
        (REJECTED, {"reason": "because"}),
    ],
)
def test_decisions_that_say_too_little_or_too_much(
    state: DecisionState, given: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        Decision("f", TrackingUID("1.2"), state, **given)


def test_reviews_of_what_is_not_there(proposed: EncodedResults) -> None:
    with pytest.raises(InputError, match="at least one"):
        review(proposed)
    with pytest.raises(NotFound, match="tracking UID"):
        review(proposed, Decision("x", TrackingUID("1.2.3"), ACCEPTED))
    with pytest.raises(UndeclaredOutput, match="perc15"):
        review(proposed, decide(proposed, "lungs", EDITED, values={"perc15": 1.0}))
    with pytest.raises(MalformedObject):
        read_measurements(b"not DICOM")
    with pytest.raises(UnusableObject, match="126000"):
        read_measurements(proposed.seg or b"")
