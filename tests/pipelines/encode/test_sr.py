"""Reports read back with highdicom and pydicom."""

import io
from typing import Any

import highdicom as hd
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from ennead.codes import private
from ennead.errors import EncodedResultInvalid, UndeclaredOutput
from ennead.findings import Finding, Map, Refusal, RefusalCode
from ennead.identifiers import SeriesUID
from ennead.testing.results import (
    LUNG,
    SERIES_UID,
    STUDY_UID,
    absence,
    corner_mask,
    finding,
    segment,
    small_grid,
    source_headers,
)
from ennead_pipelines.encode import SourceSeries, codes
from ennead_pipelines.encode.check import check_document, check_sr, measurement_groups
from ennead_pipelines.encode.groups import GroupReferences
from ennead_pipelines.encode.header import part10
from ennead_pipelines.encode.tree import child_of, children_of, in_containers, is_concept
from ennead_pipelines.review import read_measurements

GRID = small_grid("oblique")


def read(encoded: Any) -> Dataset:
    return dcmread(io.BytesIO(encoded.sr))


def test_the_document_is_preliminary_and_says_so(encoded: Any) -> None:
    dataset = read(encoded(GRID))
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert dataset.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    flags = (dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag)
    assert flags == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
    assert dataset.SeriesNumber == 9201
    assert dataset.SeriesDescription.endswith("UNVERIFIED")
    procedure = child_of(dataset, codes.PROCEDURE_REPORTED)
    assert procedure is not None and procedure.ConceptCodeSequence[0].CodeValue == "169069000"
    said = [i.TextValue for i in children_of(dataset, value_type="TEXT")]
    assert "Quantifies emphysema." in said
    assert any("synthetic spheres" in t for t in said)
    assert any("not verified" in t and "research" in t for t in said)
    equipment = dataset.ContributingEquipmentSequence[0]
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert equipment.SoftwareVersions == "1.2.3"
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99ENNEAD"


def test_vietnamese_documents_speak_vietnamese(encoded: Any) -> None:
    dataset = read(encoded(GRID, language="vi"))
    language = child_of(dataset, codes.LANGUAGE)
    assert language is not None and language.ConceptCodeSequence[0].CodeValue == "vi-VN"
    said = [i.TextValue for i in children_of(dataset, value_type="TEXT")]
    assert "Định lượng khí phế thũng." in said


def test_highdicom_finds_the_groups(encoded: Any) -> None:
    results = encoded(GRID)
    report = hd.sr.srread(io.BytesIO(results.sr))
    groups = report.content.get_volumetric_roi_measurement_groups()
    plain = report.content.get_image_measurement_groups()
    names = [g.tracking_identifier for g in (*groups, *plain)]
    assert names == ["lung/right-lung", "lung/left-lung", "lung/lungs", "lung/nodule"]
    uids = [str(g.tracking_uid) for g in (*groups, *plain)]
    assert uids == list(results.tracking_uids.values())
    right = groups[0]
    assert right.finding_type.value == LUNG.value
    assert right.finding_sites[0].laterality.meaning == "Right"
    assert right.referenced_segment.referenced_sop_instance_uid == results.seg_instance_uid
    volume, laa = right.get_measurements()
    assert (volume.value, volume.unit.value) == (2345.678912345679, "cm3")
    assert volume.method.value == "126030"
    assert laa.value == 30.0 and laa.name.value == "laa-950"


def test_values_keep_every_bit(encoded: Any) -> None:
    groups = {g.tracking_id: g for g in read_measurements(encoded(GRID).sr)}
    assert groups["lung/left-lung"].value("laa950").value == 0.1 + 0.2
    measured = groups["lung/left-lung"].value("laa950")
    assert measured.citation == "ennead_lung.example:value; PMC4067052"
    assert measured.ai_value is None


def test_groups_follow_the_order_of_the_template(encoded: Any) -> None:
    for group in measurement_groups(read(encoded(GRID))):
        names = [i.ConceptNameCodeSequence[0].CodeValue for i in group.ContentSequence]
        assert names[:4] == ["112039", "112040", "276214006", "121071"]
        parameters = [i.TextValue for i in children_of(group, codes.ALGORITHM_PARAMETERS)]
        assert parameters == sorted(parameters)
        assert "threshold_hu=-950" in parameters
        assert any(p.startswith("manifest=sha256:") for p in parameters)


def test_several_segments_are_one_reference(encoded: Any) -> None:
    both = read_measurements(encoded(GRID).sr)[2]
    assert both.template == "1411"
    assert both.segment_numbers == (1, 2)


def test_absence_is_a_plain_group(encoded: Any) -> None:
    group = read_measurements(encoded(GRID).sr)[3]
    assert group.template == "1501"
    assert group.finding.value == "27925004"
    assert group.qualifiers == (private("absent"),)
    assert group.seg_instance_uid is None and group.values == ()


def test_absence_alone_writes_no_segmentation(encoded: Any) -> None:
    results = encoded(GRID, [absence()])
    assert results.seg is None and results.seg_instance_uid is None
    assert results.sr is not None and results.tracking_uids.keys() == {"nodule"}


def test_refusals_alone_write_nothing(encoded: Any) -> None:
    refusal = Refusal(RefusalCode.PHASE, "", "refusal.phase.tag")
    results = encoded(GRID, [refusal])
    assert results.seg is None and results.sr is None
    mixed = encoded(GRID, [refusal, absence()])
    assert "PHASE" not in str(read(mixed))


def test_key_images(encoded: Any) -> None:
    uids = [str(d.SOPInstanceUID) for d in source_headers(GRID)]
    results = encoded(GRID)
    # The left lung lies in the last two slices, both equally large: the first of them.
    assert results.key_images["left-lung"] == uids[-2]
    assert results.key_images["nodule"] == uids[len(uids) // 2]
    assert read_measurements(results.sr)[1].key_image_uid == uids[-2]
    own = finding("right-lung", "right_lung")
    named = Finding(
        **{f: getattr(own, f) for f in Finding.__dataclass_fields__} | {"key_instance_uid": uids[1]}
    )
    mask = segment("right_lung", corner_mask(GRID, (1, 2, 2)), GRID)
    assert encoded(GRID, [mask, named]).key_images["right-lung"] == uids[1]


def test_the_image_library_and_the_evidence_name_every_source(encoded: Any) -> None:
    results = encoded(GRID)
    dataset = read(results)
    library = child_of(dataset, codes.IMAGE_LIBRARY)
    assert library is not None
    entries = [i for i in in_containers(library) if i.ValueType == "IMAGE"]
    uids = [str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in entries]
    assert uids == [str(d.SOPInstanceUID) for d in source_headers(GRID)]
    study = dataset.CurrentRequestedProcedureEvidenceSequence[0]
    series = {str(s.SeriesInstanceUID) for s in study.ReferencedSeriesSequence}
    assert series == {SERIES_UID, results.seg_series_uid}


def test_a_prior_of_another_study_is_other_evidence(encoded: Any) -> None:
    prior_uid = "1.2.826.0.1.3680043.10.1498.77"
    changes = {"StudyInstanceUID": prior_uid, "SeriesInstanceUID": f"{prior_uid}.1"}
    prior = SourceSeries(source_headers(GRID, **changes, PatientID="OTHER"), GRID)
    sources = {
        SeriesUID(f"{prior_uid}.1"): prior,
        SERIES_UID: SourceSeries(source_headers(GRID), GRID),
    }
    dataset = read(encoded(GRID, sources=sources))
    assert (dataset.StudyInstanceUID, dataset.PatientID) == (STUDY_UID, "TEST-1")
    assert dataset.PertinentOtherEvidenceSequence[0].StudyInstanceUID == prior_uid
    library = child_of(dataset, codes.IMAGE_LIBRARY)
    assert library is not None and len(library.ContentSequence) == 2
    del sources[SERIES_UID]
    with pytest.raises(EncodedResultInvalid, match="No source lies in study"):
        encoded(GRID, [absence()], sources=sources)


def test_contradictions_are_refused(encoded: Any) -> None:
    grid = small_grid("axial")
    mask = segment("one", corner_mask(grid, (1, 1, 1)), grid)
    cases = [
        ([finding("a", "gone")], EncodedResultInvalid, "not returned"),
        ([mask, mask], EncodedResultInvalid, "must differ"),
        ([finding("a"), finding("a")], EncodedResultInvalid, "must differ"),
        ([_with(finding("a"), series_uid="1.2.3")], EncodedResultInvalid, "not read"),
        ([_with(finding("a"), key_instance_uid="1.2.3")], EncodedResultInvalid, "key image"),
        ([_map(grid)], EncodedResultInvalid, "Maps"),
    ]
    for results, error, message in cases:
        with pytest.raises(error, match=message):
            encoded(grid, results)
    other = SeriesUID("1.2.826.0.1.3680043.10.1498.9")
    sources = {
        SERIES_UID: SourceSeries(source_headers(grid), grid),
        other: SourceSeries(source_headers(grid, SeriesInstanceUID=other), grid),
    }
    with pytest.raises(EncodedResultInvalid, match="another series"):
        encoded(grid, [mask, _with(finding("a", "one"), series_uid=other)], sources=sources)
    with pytest.raises(UndeclaredOutput, match="laa950"):
        encoded(grid, [finding("a")], manifest={"output": [_volume_output()]})


def test_the_check_sees_what_is_wrong(encoded: Any) -> None:
    finding_ = absence()
    links = GroupReferences("lung/nodule", encoded(GRID).tracking_uids["nodule"], None, (), None)
    results = encoded(GRID, [finding_])
    check_sr(results.sr, [finding_], {"nodule": links})
    with pytest.raises(EncodedResultInvalid, match="tracking UID"):
        other = GroupReferences("lung/nodule", links.tracking_uid + "1", None, (), None)  # type: ignore[arg-type]
        check_sr(results.sr, [finding_], {"nodule": other})
    changed = [finding("right-lung", laa=30.5)]
    uid = encoded(GRID, changed).tracking_uids["right-lung"]
    with pytest.raises(EncodedResultInvalid, match="laa950 differs"):
        links = GroupReferences("lung/right-lung", uid, None, (), None)
        check_sr(encoded(GRID, [finding("right-lung")]).sr, changed, {"right-lung": links})


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda d: _first_number(d).MeasuredValueSequence[0].__delattr__(
            "MeasurementUnitsCodeSequence"), "no unit"),
        (lambda d: _first_number(d).__delattr__("ContentSequence"), "neither method"),
        (lambda d: _repeat_first_group(d), "one Tracking UID"),
        (lambda d: d.__delattr__("CurrentRequestedProcedureEvidenceSequence"), "evidence"),
        (lambda d: _drop(d, codes.IMAGE_LIBRARY), "Image Library"),
    ],
)  # fmt: skip
def test_rules_of_every_document(encoded: Any, break_it: Any, message: str) -> None:
    dataset = read(encoded(GRID))
    check_document(dataset)
    break_it(dataset)
    with pytest.raises(EncodedResultInvalid, match=message):
        check_document(dcmread(io.BytesIO(part10(dataset))))


def _first_number(dataset: Dataset) -> Dataset:
    return children_of(measurement_groups(dataset)[0], value_type="NUM")[0]


def _repeat_first_group(dataset: Dataset) -> None:
    container = child_of(dataset, codes.IMAGING_MEASUREMENTS)
    assert container is not None
    container.ContentSequence.append(container.ContentSequence[0])


def _drop(dataset: Dataset, name: Any) -> None:
    dataset.ContentSequence = [i for i in dataset.ContentSequence if not is_concept(i, name)]


def _with(finding_: Finding, **changes: Any) -> Finding:
    fields = {f: getattr(finding_, f) for f in Finding.__dataclass_fields__}
    return Finding(**{**fields, **changes})


def _map(grid: Any) -> Map:
    import numpy as np

    values = np.zeros(grid.shape, np.float32)
    return Map("ventilation", "Ventilation", values, grid, SERIES_UID, LUNG, LUNG)


def _volume_output() -> dict[str, Any]:
    return {
        "id": "volume",
        "kind": "measurement",
        "title": {"en": "Volume"},
        "code": {"scheme": "SCT", "value": "118565006", "meaning": "Volume"},
        "unit": "cm3",
        "method": "ennead_lung.example:value",
    }
