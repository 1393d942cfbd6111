"""NIfTI files as DICOM series: the same voxels at the same places.

NIfTI world coordinates are RAS millimetres; DICOM's are LPS. Only signs and axis order change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from ennead.geometry import Grid
from ennead.testing.dicomize import write_series


def read_nifti(path: Path) -> tuple[npt.NDArray[np.float32], Grid]:
    """Read a three-dimensional NIfTI file.

    Returns
    -------
    (float32[z, y, x], Grid)
        The file's fastest axis becomes x and its slowest z; nothing is resampled or reordered.

    Raises
    ------
    ValueError
        The image is not three-dimensional or the file says nothing of its world coordinates.
    GeometryNonuniform
        The affine is sheared.
    """
    image: Any = nibabel.load(path)
    if len(image.shape) != 3:
        raise ValueError(f"a NIfTI image of three dimensions is needed; got shape {image.shape}.")
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        raise ValueError(
            "the NIfTI header has neither sform nor qform code; left and right are unknown."
        )
    values = np.ascontiguousarray(np.asarray(image.dataobj, dtype=np.float32).T)
    return values, grid_of_affine(np.asarray(image.affine, dtype=np.float64), image.shape)


def grid_of_affine(affine: npt.NDArray[np.float64], shape_xyz: tuple[int, int, int]) -> Grid:
    """The LPS grid of an RAS affine over ``(i, j, k)`` indices, for arrays transposed to k, j, i.

    Examples
    --------
    >>> grid = grid_of_affine(np.diag([2.0, 2.0, 3.0, 1.0]), (4, 5, 6))
    >>> grid.shape, grid.spacing_mm, grid.to_patient((1, 1, 1)).tolist()
    ((6, 5, 4), (3.0, 2.0, 2.0), [-2.0, -2.0, 3.0])
    """
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    columns = [lps[:3, 2], lps[:3, 1], lps[:3, 0]]
    lengths = [float(np.linalg.norm(c)) for c in columns]
    axes = [tuple(float(v) + 0.0 for v in c / n) for c, n in zip(columns, lengths, strict=True)]
    return Grid(
        shape=(int(shape_xyz[2]), int(shape_xyz[1]), int(shape_xyz[0])),
        origin_mm=tuple(float(v) for v in lps[:3, 3]),  # type: ignore[arg-type]
        axes=tuple(axes),  # type: ignore[arg-type]
        spacing_mm=(lengths[0], lengths[1], lengths[2]),
    )


def nifti_to_series(path: Path, folder: Path, **attributes: Any) -> list[Path]:
    """Write a NIfTI image as a DICOM series; see :func:`write_series` for what may be given.

    Technique, phase and body part are the caller's to state; none is invented.
    """
    values, grid = read_nifti(path)
    return write_series(values, grid, folder, **attributes)
