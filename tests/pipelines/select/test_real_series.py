"""Real series that do not fit: a reason for each, in both languages, and never an exception."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from ennead.contracts import InstanceRecord, SeriesRecord
from ennead.testing.sample import sample_package
from ennead.texts import translate
from ennead_pipelines.select import Candidate, match

pytestmark = pytest.mark.realdata


def candidates(folder: Path) -> list[Candidate]:
    series: dict[str, list[Any]] = defaultdict(list)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            dataset = dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        series[str(dataset.SeriesInstanceUID)].append(dataset)
    return [_candidate(uid, datasets) for uid, datasets in series.items()]


def _candidate(uid: str, datasets: list[Any]) -> Candidate:
    record = SeriesRecord("1", uid, datasets[0].Modality, 1, "", "", len(datasets))  # type: ignore[arg-type]
    instances = [
        InstanceRecord(
            "1",  # type: ignore[arg-type]
            uid,  # type: ignore[arg-type]
            d.SOPInstanceUID,
            d.SOPClassUID,
            d.file_meta.TransferSyntaxUID,
            1,
            int(d.get("NumberOfFrames") or 1),
            1,
            "",
        )
        for d in datasets
    ]
    headers = [d.to_json_dict(1024, lambda _: "bulk") for d in datasets]
    return Candidate(record, instances, headers)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("folder", "code"),
    [
        ("ai/dicom2nifti_failing/gantrytilting", "GEOMETRY_NONUNIFORM"),
        ("ai/dicom2nifti_failing/notavolume", "GEOMETRY_NONUNIFORM"),
        ("ai/dicom2nifti_failing/sliceincrement", "GEOMETRY_NONUNIFORM"),
        ("ai/dicom2nifti_failing/sliceorientation", "MODALITY"),
        ("ai/enhanced_mr", "MODALITY"),
        ("neuro/head_ct_gantry_tilt_ge", "GEOMETRY_NONUNIFORM"),
        ("neuro/t1_mprage_dicom", "MODALITY"),
        ("lung/cxr_dicom", "MODALITY"),
        ("ai/cornerstone_syntaxes", "LOSSY"),
    ],
)
def test_refused_with_a_reason(test_data: Path, folder: str, code: str) -> None:
    package = sample_package()
    assert package.manifest is not None
    selection = match(package.manifest, candidates(test_data / folder))
    assert not selection.runnable
    assert code in [str(refusal.code) for refusal in selection.refusals]
    for refusal in selection.refusals:
        for language in ("vi", "en"):
            text = translate(
                refusal.text_key, language, refusal.values, package_folder=package.folder
            )
            assert text != refusal.text_key
            assert "{" not in text
