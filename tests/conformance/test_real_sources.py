"""Results over real images: other people's headers, odd values and all."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from ennead.findings import Segment
from ennead.geometry import stack_grid
from ennead.identifiers import SeriesUID
from ennead.testing.results import corner_mask, example_manifest, segment
from ennead_pipelines.encode import ResultIdentity, SourceSeries, encode

SETS = ["lung/ibsi1_lung_cancer_ct", "neuro/t1_mprage_dicom"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("encoding", ["labelmap", "binary"])
def test_a_corner_of_a_real_series(test_data: Path, name: str, encoding: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # values of real headers, as they are
        headers = [
            dcmread(f, stop_before_pixels=True) for f in sorted((test_data / name).rglob("*.dcm"))
        ]
        headers = [h for h in headers if "ImagePositionPatient" in h]
        first = headers[0]
        grid, order = stack_grid(
            [h.ImagePositionPatient for h in headers],
            first.ImageOrientationPatient,
            first.PixelSpacing,
            first.Rows,
            first.Columns,
            str(first.FrameOfReferenceUID),
        )
    uid = SeriesUID(str(first.SeriesInstanceUID))
    mask = corner_mask(grid, (3, 7, 5))
    named: dict[str, Any] = {
        f: getattr(segment("corner", mask, grid), f) for f in Segment.__dataclass_fields__
    }
    encoded = encode(
        [Segment(**{**named, "series_uid": uid})],
        manifest=example_manifest(),
        identity=ResultIdentity(first.StudyInstanceUID, "lung", "1.2.3", "m", "i", "p"),
        sources={uid: SourceSeries(tuple(headers[i] for i in order), grid)},
        organisation="",
        seg_encoding=encoding,
        parameters={},
    )
    assert encoded.seg is not None
    dataset = dcmread(io.BytesIO(encoded.seg))
    np.testing.assert_array_equal(dataset.pixel_array.reshape(grid.shape) == 1, mask)
    assert dataset.PatientID == first.PatientID
