"""Our grids (z, y, x; LPS) as the affines of other libraries (i, j, k; RAS), and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ennead.geometry import Grid
from ennead_gpu.grids import axis_order

AnyVolume = npt.NDArray[Any]
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def ras_affine(grid: Grid) -> npt.NDArray[np.float64]:
    """float64[4, 4]: ``(x, y, z, 1)`` index of the transposed array → RAS mm (NIfTI, MONAI)."""
    return np.asarray(_FLIP @ grid.affine[:, [2, 1, 0, 3]])


def grid_of_ras(affine: npt.ArrayLike, shape_xyz: tuple[int, ...], frame: str = "") -> Grid:
    """The grid of an array ``[x, y, z]`` with an RAS affine, for the array transposed to z, y, x.

    Raises
    ------
    GeometryNonuniform
        The affine is sheared.
    """
    lps = _FLIP @ np.asarray(affine, dtype=np.float64)
    columns = [lps[:3, 2], lps[:3, 1], lps[:3, 0]]
    lengths = [float(np.linalg.norm(column)) for column in columns]
    axes = [tuple(float(v) for v in c / n) for c, n in zip(columns, lengths, strict=True)]
    x, y, z = (int(length) for length in shape_xyz)
    return Grid(
        shape=(z, y, x),
        origin_mm=(float(lps[0, 3]), float(lps[1, 3]), float(lps[2, 3])),
        axes=(axes[0], axes[1], axes[2]),  # type: ignore[arg-type]
        spacing_mm=(lengths[0], lengths[1], lengths[2]),
        frame_of_reference_uid=frame,
    )


def reoriented(values: AnyVolume, grid: Grid, orientation: str) -> tuple[AnyVolume, Grid]:
    """The array with its axes nearest to ``orientation``, contiguous, and its grid."""
    order, flip = axis_order(grid, orientation)
    turned = np.flip(values.transpose(order), _where(flip))
    return np.ascontiguousarray(turned), grid.reordered(order, flip)


def restored(values: AnyVolume, grid: Grid, orientation: str) -> AnyVolume:
    """Undo :func:`reoriented`: an array on the turned grid, back in the order of ``grid``."""
    order, flip = axis_order(grid, orientation)
    back = np.flip(values, _where(flip))
    return np.ascontiguousarray(back.transpose(np.argsort(order)))


def _where(flip: tuple[bool, bool, bool]) -> tuple[int, ...]:
    return tuple(axis for axis in range(3) if flip[axis])
