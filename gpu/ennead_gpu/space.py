"""What a network expects of its input, and the grid that gives it. Imports no network library."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np

from ennead.errors import ModelManifestInvalid
from ennead.geometry import Grid
from ennead_gpu.channels import Channel

#: LPS vector each letter points along (PS3.3 §C.7.6.2.1.1 for LPS; letters as in NIfTI tools).
DIRECTIONS: Final = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "I": (0.0, 0.0, -1.0),
}
#: Spacings that agree within this fraction are not resampled.
SAME_SPACING: Final = 1e-3


@dataclass(frozen=True, slots=True)
class NetworkSpace:
    """What a network expects of its input tensor.

    Parameters
    ----------
    orientation : str
        Where each array axis of the tensor points, first axis first: ``RAS``, ``SPL`` …; empty
        keeps the image's own axes in their order.
    spacing_mm : (float, float, float), optional
        Voxel spacing along those axes; None keeps the image's own.
    channels : tuple of Channel
        Each made from the same image.
    shape : (int, int, int), optional
        The whole image is resampled to this shape; excludes ``spacing_mm``.

    Raises
    ------
    ModelManifestInvalid
        The orientation names a direction twice or not at all; spacing or shape is not positive.
    """

    orientation: str = ""
    spacing_mm: tuple[float, float, float] | None = None
    channels: tuple[Channel, ...] = (Channel(),)
    shape: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.orientation:
            known = all(letter in DIRECTIONS for letter in self.orientation)
            lines = {"RL": 0, "AP": 0, "SI": 0}
            for pair in lines:
                lines[pair] = sum(letter in pair for letter in self.orientation)
            if len(self.orientation) != 3 or not known or set(lines.values()) != {1}:
                raise ModelManifestInvalid(
                    "An orientation is three letters, one each of R/L, A/P and S/I, such as "
                    f"'RAS'; got {self.orientation!r}."
                )
        if self.spacing_mm is not None and self.shape is not None:
            raise ModelManifestInvalid("Give spacing_mm or shape, not both.")
        numbers = self.spacing_mm or self.shape or (1, 1, 1)
        if len(numbers) != 3 or not all(np.isfinite(n) and n > 0 for n in numbers):
            raise ModelManifestInvalid(f"Spacing and shape are three positive numbers: {numbers}.")
        if not self.channels:
            raise ModelManifestInvalid("A network takes at least one channel.")


def axis_order(
    grid: Grid, orientation: str
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which axes of ``grid`` become the network's, and which of these are then flipped.

    Returns
    -------
    (order, flip)
        As :meth:`ennead.geometry.Grid.reordered` takes them. The permutation whose axes together
        lie nearest to the wanted directions.
    """
    if not orientation:
        return (0, 1, 2), (False, False, False)
    wanted = np.array([DIRECTIONS[letter] for letter in orientation])
    cosines = wanted @ np.array(grid.axes).T
    order = max(permutations(range(3)), key=lambda p: sum(abs(cosines[n, p[n]]) for n in range(3)))
    flip = [bool(cosines[n, order[n]] < 0) for n in range(3)]
    return (order[0], order[1], order[2]), (flip[0], flip[1], flip[2])


def network_grid(grid: Grid, space: NetworkSpace) -> Grid:
    """The grid of the tensor that :func:`to_network` makes.

    It covers exactly the same box of the patient. Its number of voxels is rounded, so its spacing
    differs from the wanted one by at most half a voxel over the whole image.
    """
    turned = grid.reordered(*axis_order(grid, space.orientation))
    if space.shape is not None:
        shape = space.shape
    elif space.spacing_mm is None:
        return turned
    else:
        lengths = [
            n if abs(s / wanted - 1) <= SAME_SPACING else max(1, round(n * s / wanted))
            for n, s, wanted in zip(turned.shape, turned.spacing_mm, space.spacing_mm, strict=True)
        ]
        shape = (lengths[0], lengths[1], lengths[2])
    if shape == turned.shape:
        return turned
    spacing = [s * n / m for s, n, m in zip(turned.spacing_mm, turned.shape, shape, strict=True)]
    first = turned.to_patient([(n / m - 1) / 2 for n, m in zip(turned.shape, shape, strict=True)])
    return Grid(
        shape=shape,
        origin_mm=(float(first[0]), float(first[1]), float(first[2])),
        axes=turned.axes,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        frame_of_reference_uid=grid.frame_of_reference_uid,
    )
