"""Done when 2: real chest CTs, received from dcmtk, come back as SEG and SR."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ennead.testing import journeys
from ennead.testing.dicomize import write_series
from ennead.testing.nifti import nifti_to_series
from ennead.testing.phantoms import chest_phantom

pytestmark = [pytest.mark.package("lung"), pytest.mark.slow]
DCIODVFY = "/usr/bin/dciodvfy"


ALLOWED = Path(__file__).parents[1] / "conformance" / "dciodvfy-allowed-labelmap.txt"
BINARY = "1.2.840.10008.5.1.4.1.1.66.4"


def errors_of_dciodvfy(file: Path) -> list[str]:
    report = subprocess.run([DCIODVFY, "-new", file], capture_output=True, text=True)
    return [line for line in report.stderr.splitlines() if line.startswith("Error")]


def older_than_label_maps() -> list[re.Pattern[str]]:
    """What a dciodvfy of 2022 says because it knows no label map (Supplement 243, 2024)."""
    lines = ALLOWED.read_text().splitlines()
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.realdata
@pytest.mark.peer(DCIODVFY)
@pytest.mark.parametrize("encoding", ["labelmap", "binary"])
def test_cropped_enhanced_ct_without_kvp(
    running_instance, test_data: Path, tmp_path: Path, encoding: str
) -> None:
    folder = test_data / "lung" / "ibsi1_lung_cancer_ct" / "image"
    study = journeys.study_uid_of(journeys.dicom_files(folder))
    instance = running_instance(dicom__accept_any_ae=True, pipelines__seg_encoding=encoding)
    journeys.send(instance, folder)

    [job] = journeys.wait_for_jobs(instance, study, timeout_s=120, package="lung")
    assert job["state"] == "done"

    results = journeys.result_instances(instance, study)
    classes = {journeys.value(r, "00080016") for r in results}
    segmentation = journeys.LABEL_MAP if encoding == "labelmap" else BINARY
    assert classes == {segmentation, journeys.COMPREHENSIVE_3D_SR}
    assert len(results) == 2
    known = older_than_label_maps() if encoding == "labelmap" else []
    for result in results:
        found = errors_of_dciodvfy(journeys.fetch(instance, result, study, tmp_path))
        assert [e for e in found if not any(k.search(e) for k in known)] == []

    answer = journeys.findings(instance, study)
    masks = [f for f in answer["findings"] if f["segments"]]
    assert masks
    assert all("partial-coverage" in {q["code"] for q in f["qualifiers"]} for f in masks)
    refused = {(r["subject"], r["code"]) for r in answer["refusals"]}
    assert {("laa950", "PHASE"), ("laa950", "TECHNIQUE"), ("volume_total", "COVERAGE")} <= refused
    assert all(r["text"] and "{" not in r["text"] for r in answer["refusals"])
    vietnamese = journeys.findings(instance, study, "vi")
    assert [r["text"] for r in vietnamese["refusals"]] != [r["text"] for r in answer["refusals"]]


@pytest.mark.realdata
def test_whole_enhanced_chest(running_instance, test_data: Path, tmp_path: Path) -> None:
    files = nifti_to_series(
        test_data / "lung" / "chest_ct_siemens_2mm" / "ct.nii.gz",
        tmp_path / "series",
        ContrastBolusAgent="Iodinated",
        KVP="120",
        ConvolutionKernel="B30f",
        BodyPartExamined="CHEST",
    )
    study = journeys.study_uid_of(files)
    instance = running_instance(dicom__accept_any_ae=True)
    journeys.send(instance, tmp_path / "series")
    [job] = journeys.wait_for_jobs(instance, study, package="lung")
    assert job["state"] == "done"

    answer = journeys.findings(instance, study)
    values = {m["id"]: m for f in answer["findings"] for m in f["measurements"]}
    # The naive threshold with airways and no vessels filled gives 3770 cm3 (data/README).
    assert 3000 < values["volume_total"]["value"] < 4200
    assert values["volume_total"]["unit"] == "cm3"
    assert 0.6 < values["volume_left"]["value"] / values["volume_right"]["value"] < 1.1
    refused = {r["subject"]: r["code"] for r in answer["refusals"]}
    assert refused["laa950"] == refused["perc15"] == "PHASE"


def test_unenhanced_phantom_gives_everything(running_instance, tmp_path: Path) -> None:
    phantom = chest_phantom()
    files = write_series(phantom.values, phantom.grid, tmp_path / "series", **phantom.attributes)
    study = journeys.study_uid_of(files)
    instance = running_instance(dicom__accept_any_ae=True)
    journeys.send(instance, tmp_path / "series")
    [job] = journeys.wait_for_jobs(instance, study, package="lung")
    assert job["state"] == "done"

    answer = journeys.findings(instance, study)
    assert answer["refusals"] == []
    values = {m["id"]: m["value"] for f in answer["findings"] for m in f["measurements"]}
    assert values["volume_left"] == pytest.approx(phantom.truth["volume_left_cm3"], rel=0.01)
    assert values["volume_right"] == pytest.approx(phantom.truth["volume_right_cm3"], rel=0.01)
    assert values["laa950"] == pytest.approx(phantom.truth["laa950_percent"], abs=0.1)
    assert values["perc15"] == pytest.approx(phantom.truth["perc15_hu"], abs=1)

    # The right lung is on the patient's right: negative x in LPS, read from the stored label map.
    [seg] = [
        r
        for r in journeys.result_instances(instance, study)
        if journeys.value(r, "00080016") == journeys.LABEL_MAP
    ]
    dataset = pydicom.dcmread(journeys.fetch(instance, seg, study, tmp_path))
    labels = dataset.pixel_array
    numbers = {s.SegmentLabel.lower(): s.SegmentNumber for s in dataset.SegmentSequence}
    centre = {}
    for side in ("right", "left"):
        number = next(n for label, n in numbers.items() if side in label)
        _, _rows, columns = np.nonzero(labels == number)
        centre[side] = columns.mean()
    assert centre["right"] < centre["left"]
