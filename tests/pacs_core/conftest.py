"""Small CT series with an analytic content, and the way in."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from ennead.database import Database
from ennead.geometry import Grid
from ennead.settings import Settings
from ennead.testing.dicomize import write_series
from ennead_pacs.ingest import Ingest


def ct_values(slices: int, side: int = 32) -> np.ndarray[Any, np.dtype[np.float32]]:
    """HU at slice z, row y, column x: y + 2 x + 3 z - 1000."""
    z, y, x = np.mgrid[0:slices, 0:side, 0:side]
    return (y + 2 * x + 3 * z - 1000).astype(np.float32)


@pytest.fixture
def series_of(tmp_path: Path) -> Callable[..., list[Path]]:
    """Write a series of ``slices`` files; keyword arguments become attributes."""
    made = 0

    def make(slices: int = 4, side: int = 32, **attributes: Any) -> list[Path]:
        nonlocal made
        made += 1
        grid = Grid(
            shape=(slices, side, side),
            origin_mm=(0.0, 0.0, 0.0),
            axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
            spacing_mm=(2.0, 1.0, 1.0),
        )
        folder = tmp_path / f"series-{made}"
        return write_series(ct_values(slices, side), grid, folder, **attributes)

    return make


@pytest.fixture
def ingest(settings: Settings, database: Database) -> Iterator[Ingest]:
    with Ingest(settings, database) as opened:
        yield opened


@pytest.fixture
def make_object() -> Callable[..., bytes]:
    """A small CT object as a Part 10 file; keyword arguments become attributes, None removes."""

    def make(
        number: int = 1,
        *,
        study: str = "1.2.3",
        series: str = "1.2.3.1",
        syntax: str = ExplicitVRLittleEndian,
        **attributes: Any,
    ) -> bytes:
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = f"{series}.{number}"
        dataset.StudyDate, dataset.StudyTime = "20240131", "101500"
        dataset.AccessionNumber, dataset.Modality = "A1", "CT"
        dataset.StudyDescription, dataset.SeriesDescription = "Chest", "Lung 1.0"
        dataset.PatientName, dataset.PatientID = "Đặng^Thị Ánh", "P1"
        dataset.PatientBirthDate, dataset.PatientSex = "19700102", "F"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SeriesNumber, dataset.InstanceNumber = 1, number
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows = dataset.Columns = 8
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = bytes(range(128))
        dataset["PixelData"].VR = "OW"
        for name, value in attributes.items():
            if value is None:
                delattr(dataset, name)
            else:
                setattr(dataset, name, value)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        return stream.getvalue()

    return make
