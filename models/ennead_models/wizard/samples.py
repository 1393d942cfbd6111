"""An image to make the reference case from: a DICOM series, a NIfTI file, or a phantom."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from ennead.errors import EnneadError, InputError
from ennead.geometry import Grid, stack_grid
from ennead_models.cases import read_image
from ennead_models.predict import FloatVolume

#: Voxels that a reference case has at most; larger ones are cut to what the model found.
MOST_VOXELS: Final = 8 * 2**20
_FILES: Final = 5000


def read_sample(path: Path, modality: tuple[str, ...]) -> tuple[FloatVolume, Grid]:
    """The image in a NIfTI file, or the largest fitting series of a DICOM folder.

    Raises
    ------
    InputError
        There is no such image, or its geometry cannot be trusted; the message says why.
    """
    try:
        if path.is_dir():
            return _dicom(path, modality)
        return read_image(path)
    except InputError:
        raise
    except (OSError, ValueError, EnneadError) as error:
        raise InputError(
            f"{path.name} cannot be used as a sample: {error}. Give a folder with one DICOM series "
            "or a three-dimensional NIfTI file."
        ) from error


def _dicom(folder: Path, modality: tuple[str, ...]) -> tuple[FloatVolume, Grid]:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    series: dict[str, list[Any]] = defaultdict(list)
    for file in sorted(f for f in folder.rglob("*") if f.is_file())[:_FILES]:
        try:
            dataset = dcmread(file)
        except (InvalidDicomError, OSError, ValueError, EOFError):
            continue  # another kind of file
        if "PixelData" in dataset and dataset.get("Modality") in modality:
            series[str(dataset.SeriesInstanceUID)].append(dataset)
    if not series:
        raise InputError(
            f"{folder.name} holds no images of {' or '.join(modality)}. Give a folder with one "
            "DICOM series of that modality."
        )
    slices = max(series.values(), key=len)
    first = slices[0]
    if any(int(each.get("NumberOfFrames", 1)) > 1 for each in slices):
        raise InputError("Enhanced (multi-frame) objects cannot be samples; give single frames.")
    grid, order = stack_grid(
        [list(map(float, each.ImagePositionPatient)) for each in slices],
        list(map(float, first.ImageOrientationPatient)),
        list(map(float, first.PixelSpacing)),
        int(first.Rows),
        int(first.Columns),
        "",
    )
    values = np.empty(grid.shape, dtype=np.float32)
    for place, index in enumerate(order):
        each = slices[index]
        values[place] = each.pixel_array.astype(np.float32)
        values[place] *= float(each.get("RescaleSlope", 1) or 1)
        values[place] += float(each.get("RescaleIntercept", 0) or 0)
    return values, grid


def phantom(modality: str, lengths: tuple[int, int, int], spacing_mm: float) -> Any:
    """A body of ellipsoids with bright and dark inclusions, the same every time.

    Not an anatomy: it makes a network's answer repeatable, and says nothing of its quality.

    Returns
    -------
    (float32[z, y, x], Grid)
        HU for CT, else arbitrary units of 0 to 1000; axial, as scanners store it.
    """
    z, y, x = lengths
    axes = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    origin = tuple(-(n - 1) / 2 * spacing_mm for n in (x, y, z))
    grid = Grid((z, y, x), origin, axes, (spacing_mm,) * 3)  # type: ignore[arg-type]
    at = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in lengths], indexing="ij"))
    if modality == "CT":
        levels = {"air": -1000, "fat": -100, "soft": 40, "lung": -850, "bone": 700, "vessel": 200}
    else:
        levels = {"air": 0, "fat": 800, "soft": 400, "lung": 50, "bone": 100, "vessel": 1000}
    values = np.full(lengths, levels["air"], dtype=np.float32)
    solids = (
        ("fat", (0.0, 0.0, 0.0), (2.0, 0.75, 0.85)),
        ("soft", (0.0, 0.0, 0.0), (2.0, 0.65, 0.75)),
        ("lung", (0.2, -0.05, -0.35), (0.6, 0.4, 0.25)),
        ("lung", (0.2, -0.05, 0.35), (0.6, 0.4, 0.22)),
        ("bone", (0.0, 0.5, 0.0), (2.0, 0.12, 0.12)),
        ("vessel", (0.0, 0.3, 0.08), (2.0, 0.08, 0.08)),
        ("vessel", (-0.5, 0.0, -0.2), (0.25, 0.25, 0.25)),
        ("soft", (0.2, 0.0, 0.4), (0.08, 0.08, 0.08)),
    )
    for name, centre, half in solids:
        offset = (at - np.reshape(centre, (3, 1, 1, 1))) / np.reshape(half, (3, 1, 1, 1))
        values[(offset**2).sum(axis=0) <= 1] = levels[name]
    # A ripple that breaks ties, so that a network does not see flat regions only.
    values += np.round(10 * np.sin(np.arange(values.size) * 0.7548776662).reshape(lengths))
    return values.astype(np.float32), grid


def cut_to(values: FloatVolume, grid: Grid, labels: Any) -> tuple[FloatVolume, Grid]:
    """The part of a large image around what was found, with a margin of 16 voxels."""
    if values.size <= MOST_VOXELS or labels is None or not labels.any():
        return values, grid
    where = np.argwhere(labels)
    low = np.maximum(where.min(axis=0) - 16, 0)
    high = np.minimum(where.max(axis=0) + 17, values.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    first = grid.to_patient(low)
    shape = tuple(int(b - a) for a, b in zip(low, high, strict=True))
    part = Grid(
        shape=(shape[0], shape[1], shape[2]),
        origin_mm=(float(first[0]), float(first[1]), float(first[2])),
        axes=grid.axes,
        spacing_mm=grid.spacing_mm,
        frame_of_reference_uid=grid.frame_of_reference_uid,
    )
    return np.ascontiguousarray(values[box]), part
