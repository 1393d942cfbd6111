"""The demonstration's own studies: phantoms with invented Vietnamese names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ennead.testing.dicomize import write_series
from ennead.testing.phantoms import Phantom, chest_phantom


@dataclass(frozen=True, slots=True)
class Sample:
    """A study to make; ``key`` names its title in the texts (``common.demo.sample.<key>``)."""

    key: str
    make: Callable[[], Phantom]
    modality: str
    patient: dict[str, str]


def _magnetic_resonance() -> Phantom:
    """The chest's shapes with the look of MR: no package measures it, each says why."""
    chest = chest_phantom("flipped", spacing_mm=2.5)
    values = np.clip(chest.values + 1000, 0, 1200).astype(np.float32)
    kept = {"PatientPosition", "BodyPartExamined", "SliceThickness", "StudyID"}
    attributes = {k: v for k, v in chest.attributes.items() if k in kept}
    return Phantom(values, chest.grid, {}, chest.labels, attributes)


SAMPLES: Final = (
    Sample(
        "complete",
        lambda: chest_phantom("isotropic", noise_hu=12),
        "CT",
        {
            "PatientName": "Nguyễn^Thị Hoa Mẫu",
            "PatientID": "DEMO-0001",
            "PatientSex": "F",
            "PatientBirthDate": "19620314",
            "StudyDescription": "CT ngực không tiêm (mẫu)",
            "SeriesDescription": "Ngực 1,5 mm",
            "ConvolutionKernel": "B30f",
        },
    ),
    Sample(
        "oblique",
        lambda: chest_phantom("oblique", seed=7, emphysema=0.18, noise_hu=12, spacing_mm=2.0),
        "CT",
        {
            "PatientName": "Đặng^Văn Bình Mẫu",
            "PatientID": "DEMO-0002",
            "PatientSex": "M",
            "PatientBirthDate": "19550920",
            "StudyDescription": "CT ngực lát cắt chếch (mẫu)",
            "SeriesDescription": "Ngực chếch 3,2 mm",
        },
    ),
    Sample(
        "mr",
        _magnetic_resonance,
        "MR",
        {
            "PatientName": "Trần^Thị Ánh Mẫu",
            "PatientID": "DEMO-0003",
            "PatientSex": "F",
            "PatientBirthDate": "19780502",
            "StudyDescription": "MR ngực (mẫu)",
            "SeriesDescription": "MR ngực",
        },
    ),
)


def write(sample: Sample, folder: Path, study_date: str) -> list[Path]:
    """Write the sample as a DICOM series; the same date gives the same bytes."""
    phantom = sample.make()
    attributes: dict[str, Any] = {
        **phantom.attributes,
        **sample.patient,
        "StudyDate": study_date,
        "Manufacturer": "Ennead phantom",
    }
    return write_series(
        phantom.values, phantom.grid, folder, modality=sample.modality, **attributes
    )
