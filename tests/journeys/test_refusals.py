"""Done when 5: a study that does not fit gets a visible reason, never silence."""

from pathlib import Path

import pytest

from ennead.testing import journeys

pytestmark = [pytest.mark.realdata, pytest.mark.package("lung"), pytest.mark.slow]

LOSSY = "ai/cornerstone_syntaxes/CTImage.dcm_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm"
CASES = {
    "neuro/t1_mprage_dicom": {"MODALITY"},
    LOSSY: {"LOSSY", "BODY_PART"},
    "ai/dicom2nifti_failing/notavolume": {"GEOMETRY_NONUNIFORM", "MODALITY"},
    "ai/dicom2nifti_failing/sliceincrement": {"GEOMETRY_NONUNIFORM", "MODALITY"},
    "ai/dicom2nifti_failing/sliceorientation": {"GEOMETRY_NONUNIFORM", "MODALITY"},
    "ai/dicom2nifti_failing/gantrytilting": {"GEOMETRY_NONUNIFORM", "MODALITY"},
    "neuro/head_ct_gantry_tilt_ge": {"GEOMETRY_NONUNIFORM", "BODY_PART"},
}


def test_every_unfit_study_says_why(running_instance, test_data: Path) -> None:
    instance = running_instance(dicom__accept_any_ae=True, pipelines__quiet_s=2)
    studies = {}
    for name in CASES:
        path = test_data / name
        studies[name] = journeys.study_uid_of(journeys.dicom_files(path))
        journeys.stow(instance, path)
    for name, codes in CASES.items():
        for job in journeys.wait_for_jobs(instance, studies[name], package="lung"):
            assert job["state"] == "refused", (name, job)
            assert {r["code"] for r in job["refusals"]} & codes, (name, job["refusals"])
            assert job["reason"] and "{" not in job["reason"], (name, job["reason"])
            assert "Traceback" not in str(job)
        timeline = instance.client.get(f"/api/v1/studies/{studies[name]}/timeline").json()
        assert any(e["state"] == "refused" and e["text"] for e in timeline["events"]), name
        assert journeys.result_instances(instance, studies[name]) == []
    assert "Traceback" not in instance.log_path.read_text()
