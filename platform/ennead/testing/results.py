"""Small results with their sources, for tests of what is written: no image, no package.

Everything is a function of a :class:`~ennead.geometry.Grid`; masks are blocks at asymmetric
corners, so that any flip or shift shows.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pydicom.valuerep import DSfloat

from ennead.codes import (
    ANATOMICAL_STRUCTURE,
    CUBIC_CENTIMETRE,
    LEFT,
    PERCENT,
    RIGHT,
    VOLUME,
    Code,
    dcm,
    private,
    sct,
)
from ennead.findings import Finding, Measurement, Result, Segment
from ennead.geometry import Grid
from ennead.identifiers import SeriesUID, StudyUID
from ennead.plugins.manifest import Manifest

STUDY_UID: Final = StudyUID("1.2.826.0.1.3680043.10.1498.1")
SERIES_UID: Final = SeriesUID("1.2.826.0.1.3680043.10.1498.1.2")
FRAME_OF_REFERENCE_UID: Final = "1.2.826.0.1.3680043.10.1498.1.3"
LUNG: Final = sct("39607008", "Lung")
SUM_OF_VOXELS: Final = dcm("126030", "Sum of segmented voxel volumes")

GridName = Literal["axial", "anisotropic", "oblique", "flipped", "left-handed", "single"]
GRIDS: Final[tuple[GridName, ...]] = (
    "axial",
    "anisotropic",
    "oblique",
    "flipped",
    "left-handed",
    "single",
)


def small_grid(name: GridName, shape: tuple[int, int, int] = (7, 24, 21)) -> Grid:
    """A grid of a few thousand voxels, with an odd row length so that bits do not align."""
    z, y, x = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    spacing = (2.0, 0.8, 0.8)
    if name == "anisotropic":
        spacing = (3.0, 0.7, 0.9)
    elif name == "oblique":
        turn = rotation(0.35, -0.5, 0.2)
        z, y, x = turn @ z, turn @ y, turn @ x
    elif name == "flipped":
        z, y, x = -z, y, -x
    elif name == "left-handed":
        z = -z
    elif name == "single":
        shape, spacing = (1, *shape[1:]), (1.0, 0.8, 0.8)
    return make_grid((z, y, x), spacing, shape, (-31.5, 12.25, -104.0))


def make_grid(
    axes: tuple[npt.NDArray[np.float64], ...],
    spacing: tuple[float, float, float],
    shape: tuple[int, int, int],
    origin: tuple[float, float, float],
) -> Grid:
    """A grid from direction vectors along z, y and x."""
    rows = [tuple(float(v) for v in axis) for axis in axes]
    return Grid(shape, origin, (rows[0], rows[1], rows[2]), spacing, FRAME_OF_REFERENCE_UID)  # type: ignore[arg-type]


def rotation(about_x: float, about_y: float, about_z: float) -> npt.NDArray[np.float64]:
    """float64[3, 3]: rotation by radians about x, then y, then z."""

    def about(axis: int, angle: float) -> npt.NDArray[np.float64]:
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.eye(3)
        i, j = [a for a in range(3) if a != axis]
        matrix[i, i] = matrix[j, j] = c
        matrix[i, j], matrix[j, i] = (-s, s)
        return matrix

    return np.asarray(about(2, about_z) @ about(1, about_y) @ about(0, about_x))


def source_headers(grid: Grid, **attributes: Any) -> tuple[Dataset, ...]:
    """CT headers without pixels, one per slice of ``grid``, in its order."""
    return tuple(_header(grid, k, attributes) for k in range(grid.shape[0]))


def _header(grid: Grid, index: int, attributes: dict[str, Any]) -> Dataset:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.SOPClassUID = CTImageStorage
    header.SOPInstanceUID = f"{SERIES_UID}.{index + 1}"
    header.StudyInstanceUID = STUDY_UID
    header.SeriesInstanceUID = SERIES_UID
    header.FrameOfReferenceUID = grid.frame_of_reference_uid
    header.PatientName = "Trần^Thử Nghiệm"
    header.PatientID = "TEST-1"
    header.PatientBirthDate = "19700102"
    header.PatientSex = "F"
    header.StudyDate = "20260105"
    header.StudyTime = "083000"
    header.StudyID = "1"
    header.AccessionNumber = "A-1"
    header.ReferringPhysicianName = ""
    header.Modality = "CT"
    header.InstanceNumber = index + 1
    header.Rows, header.Columns = grid.shape[1:]
    header.SliceThickness = DSfloat(grid.spacing_mm[0], auto_format=True)
    header.PixelSpacing = [DSfloat(v, auto_format=True) for v in grid.spacing_mm[1:]]
    directions = [*grid.axes[2], *grid.axes[1]]
    header.ImageOrientationPatient = [DSfloat(v, auto_format=True) for v in directions]
    position = grid.to_patient([index, 0, 0])
    header.ImagePositionPatient = [DSfloat(float(v), auto_format=True) for v in position]
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return header


def corner_mask(grid: Grid, size: tuple[int, int, int], *, far: bool = False) -> npt.NDArray[Any]:
    """bool[z, y, x]: a block of ``size`` at voxel (0, 0, 0), or at the opposite corner."""
    mask = np.zeros(grid.shape, dtype=np.bool_)
    if far:
        mask[tuple(slice(-n, None) for n in size)] = True
    else:
        mask[tuple(slice(0, n) for n in size)] = True
    return mask


def segment(
    segment_id: str, mask: npt.NDArray[Any], grid: Grid, laterality: Code | None = None
) -> Segment:
    """A lung segment."""
    return Segment(
        id=segment_id,
        label=segment_id.replace("_", " ").capitalize(),
        mask=mask,
        grid=grid,
        series_uid=SERIES_UID,
        category=ANATOMICAL_STRUCTURE,
        type=LUNG,
        laterality=laterality,
    )


def finding(
    finding_id: str, *segment_ids: str, laa: float = 12.5, laterality: Code | None = None
) -> Finding:
    """A lung finding with a volume and an emphysema index."""
    return Finding(
        id=finding_id,
        label=finding_id,
        finding=LUNG,
        category=ANATOMICAL_STRUCTURE,
        series_uid=SERIES_UID,
        site=LUNG,
        laterality=laterality,
        measurements=(
            Measurement("volume", VOLUME, 2345.678912345679, CUBIC_CENTIMETRE, SUM_OF_VOXELS),
            Measurement("laa950", private("laa-950"), laa, PERCENT),
        ),
        segment_ids=segment_ids,
    )


def absence(finding_id: str = "nodule") -> Finding:
    """A nodule that was sought and not found."""
    return Finding(
        id=finding_id,
        label="No nodule",
        finding=sct("27925004", "Nodule"),
        category=sct("49755003", "Morphologically Abnormal Structure"),
        series_uid=SERIES_UID,
        site=LUNG,
        qualifiers=(private("absent"),),
    )


def example_results(grid: Grid) -> list[Result]:
    """Two lungs, both together, and no nodule."""
    thick = min(2, grid.shape[0])
    return [
        segment("right_lung", corner_mask(grid, (thick, 5, 3)), grid, RIGHT),
        segment("left_lung", corner_mask(grid, (thick, 4, 6), far=True), grid, LEFT),
        finding("right-lung", "right_lung", laa=30.0, laterality=RIGHT),
        finding("left-lung", "left_lung", laa=0.1 + 0.2, laterality=LEFT),
        finding("lungs", "right_lung", "left_lung"),
        absence(),
    ]


def example_manifest(**changes: Any) -> Manifest:
    """A manifest that declares the outputs of :func:`example_results`."""
    output = {"kind": "measurement", "method": "ennead_lung.example:value"}
    return Manifest.model_validate(
        {
            "schema": 1,
            "id": "lung",
            "title": {"en": "Lung densitometry", "vi": "Đo đậm độ phổi"},
            "version": "1.2.3",
            "pipeline": "ennead_lung:LungPipeline",
            "licence": "Apache-2.0",
            "series_block": 2,
            "procedure": {"scheme": "SCT", "value": "169069000", "meaning": "CT of chest"},
            "intended_use": {
                "text": {"en": "Quantifies emphysema.", "vi": "Định lượng khí phế thũng."},
                "status": "research",
                "trained_on": "synthetic spheres",
            },
            "input": [{"name": "chest", "modality": ["CT"]}],
            "output": [
                {
                    **output,
                    "id": "volume",
                    "title": {"en": "Volume"},
                    "code": {"scheme": "SCT", "value": "118565006", "meaning": "Volume"},
                    "unit": "cm3",
                },
                {
                    **output,
                    "id": "laa950",
                    "title": {"en": "LAA-950"},
                    "code": {"scheme": "99ENNEAD", "value": "laa-950"},
                    "unit": "%",
                    "reference": "PMC4067052",
                },
            ],
            **changes,
        }
    )
