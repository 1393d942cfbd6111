"""Write any array on any :class:`~ennead.geometry.Grid` as a valid classic DICOM series.

What a caller does not say is left empty or out: no technique, phase or body part is invented.
Identifiers are functions of the content, so that writing again gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from ennead.geometry import Grid
from ennead.identifiers import derive_uid

SliceEdit = Callable[[int, Dataset], None]

_SOP_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}

#: Attributes that must exist (PS3.3 types 1 and 2) and what they hold unless the caller says more.
_COMMON: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "StudyDate": "20260105",
    "StudyTime": "083000",
    "AccessionNumber": "",
    "Manufacturer": "Ennead test data",
    "ReferringPhysicianName": "",
    "PatientName": "Ennead^Test",
    "PatientID": "TEST",
    "PatientBirthDate": "",
    "PatientSex": "",
    "PatientPosition": "",
    "StudyID": "",
    "SeriesNumber": 1,
    "AcquisitionNumber": "",
    "PositionReferenceIndicator": "",
}
_BY_MODALITY: dict[str, dict[str, Any]] = {
    "CT": {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "KVP": "",
        "SliceThickness": "",
        "RescaleType": "HU",
    },
    "MR": {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "ScanningSequence": "RM",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "3D",
        "RepetitionTime": "",
        "EchoTime": "",
        "EchoTrainLength": "",
        "SliceThickness": "",
    },
}


def write_series(
    values: npt.NDArray[Any],
    grid: Grid,
    folder: Path,
    *,
    modality: str = "CT",
    seed: str = "",
    transfer_syntax: str = ExplicitVRLittleEndian,
    rescale_slope: float = 1.0,
    rescale_intercept: float | None = None,
    edit: SliceEdit | None = None,
    **attributes: Any,
) -> list[Path]:
    """Write one single-frame instance per slice of ``values``.

    Parameters
    ----------
    values : number[z, y, x]
        HU for CT; rounded to multiples of ``rescale_slope``.
    grid : Grid
        Oblique and flipped grids are written as they are: slice ``k`` lies at
        ``grid.to_patient((k, 0, 0))``.
    folder : Path
        Created when absent; files are ``IMG0001.dcm`` … in the order of z.
    modality : {"CT", "MR"}
        MR series carry no rescale attributes unless a slope or an intercept is given.
    seed : str
        Another seed gives other UIDs for the same content. The study UID depends on ``seed``,
        ``PatientID`` and ``StudyID`` only, so several series can be written into one study.
    transfer_syntax : str
        An uncompressed one, or one that pydicom can compress to (RLE, JPEG-LS, JPEG 2000).
    rescale_slope, rescale_intercept : float
        The intercept defaults to -1024 (CT) or 0 (MR).
    edit : callable (index, Dataset), optional
        Last change to each instance before it is written: makes broken series for tests.
    **attributes
        DICOM keywords and values for every instance; ``None`` leaves the attribute out.

    Returns
    -------
    list of Path
        One file per slice, in the order of z.

    Raises
    ------
    ValueError
        Shapes differ, a value is not finite or does not fit 16 bits, or the modality is unknown.

    Notes
    -----
    PS3.3 §A.3 (CT Image), §A.4 (MR Image), §C.7.6.2 (Image Plane).
    """
    if modality not in _SOP_CLASSES:
        raise ValueError(f"modality must be one of {sorted(_SOP_CLASSES)}; got {modality!r}.")
    if values.shape != grid.shape:
        raise ValueError(f"values have shape {values.shape}; their grid has {grid.shape}.")
    if rescale_intercept is None:
        rescale_intercept = -1024.0 if modality == "CT" else 0.0
    stored = _stored(values, rescale_slope, rescale_intercept)
    given = _COMMON | _BY_MODALITY[modality] | attributes
    if not given.get("BodyPartExamined"):
        given.setdefault("Laterality", "")  # type 2C: empty while the body part is unknown
    uids = _uids(stored, grid, modality, seed, given)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, plane in enumerate(stored):
        dataset = _instance(plane, grid, index, modality)
        for keyword, value in (uids | given).items():
            if value is not None:
                setattr(dataset, keyword, value)
        if modality == "CT" or (rescale_slope, rescale_intercept) != (1.0, 0.0):
            dataset.RescaleSlope = _ds(rescale_slope)
            dataset.RescaleIntercept = _ds(rescale_intercept)
        dataset.SOPInstanceUID = derive_uid(
            "testing.instance", str(dataset.SeriesInstanceUID), str(index)
        )
        if edit is not None:
            edit(index, dataset)
        paths.append(folder / f"IMG{index + 1:04d}.dcm")
        _save(dataset, paths[-1], transfer_syntax)
    return paths


def _stored(values: npt.NDArray[Any], slope: float, intercept: float) -> npt.NDArray[Any]:
    if not np.isfinite(values).all():
        raise ValueError("values must be finite; replace NaN before writing.")
    scaled = np.rint((np.asarray(values, dtype=np.float64) - intercept) / slope)
    low, high = float(scaled.min()), float(scaled.max())
    for kind in (np.uint16, np.int16):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return scaled.astype(kind)
    raise ValueError(
        f"stored values {low:.0f} to {high:.0f} do not fit 16 bits; choose another rescale_slope "
        "or rescale_intercept."
    )


def _uids(
    stored: npt.NDArray[Any], grid: Grid, modality: str, seed: str, given: dict[str, Any]
) -> dict[str, Any]:
    content = hashlib.sha256(np.ascontiguousarray(stored).tobytes())
    content.update(repr((grid, modality)).encode())
    content.update(repr(sorted((k, repr(v)) for k, v in given.items())).encode())
    study = str(
        given.get("StudyInstanceUID")
        or derive_uid("testing.study", seed, str(given["PatientID"]), str(given["StudyID"]))
    )
    frame = grid.frame_of_reference_uid or derive_uid("testing.frame", study)
    return {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": derive_uid("testing.series", study, seed, content.hexdigest()),
        "FrameOfReferenceUID": frame,
    }


def _instance(plane: npt.NDArray[Any], grid: Grid, index: int, modality: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = _SOP_CLASSES[modality]
    dataset.Modality = modality
    dataset.InstanceNumber = index + 1
    dataset.ImagePositionPatient = [_ds(v) for v in grid.to_patient((index, 0, 0))]
    dataset.ImageOrientationPatient = [_ds(v) for v in (*grid.axes[2], *grid.axes[1])]
    dataset.PixelSpacing = [_ds(grid.spacing_mm[1]), _ds(grid.spacing_mm[2])]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(plane.dtype == np.int16)
    little = plane.astype(plane.dtype.newbyteorder("<"))
    dataset.PixelData = little.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def _save(dataset: Dataset, path: Path, transfer_syntax: str) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta = dataset.file_meta
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if transfer_syntax != ExplicitVRLittleEndian:
        wanted = type(ExplicitVRLittleEndian)(transfer_syntax)
        if wanted.is_compressed and not wanted.is_deflated:
            dataset.compress(wanted, generate_instance_uid=False)
        meta.TransferSyntaxUID = wanted
    dataset.save_as(path, enforce_file_format=True)


def _ds(value: float) -> DSfloat:
    return DSfloat(float(value), auto_format=True)
