"""To the grid a network wants, and its labels back to the image's own grid.

A network asks for its own axes (``RAS``), its own spacing and its own intensities. Both ways are
worked out from positions in the patient, never from array order, so a structure in one corner
returns to that corner on flipped, oblique and anisotropic images alike. Oblique images keep their
own axes: the nearest permutation and flips are taken, nothing is rotated.

PyTorch is imported when it is first needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ennead.errors import GridMismatch, ModelManifestInvalid
from ennead.geometry import Grid
from ennead_gpu.channels import Channel
from ennead_gpu.sampling import AxisSamples, lerp, nearest, resize

if TYPE_CHECKING:
    import torch

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
#: Axes of two grids are parallel when their cosine differs from ±1 by less.
_PARALLEL: Final = 1e-4


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


def to_network(
    values: npt.NDArray[Any], grid: Grid, space: NetworkSpace, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, Grid]:
    """The network's input tensor, made on ``device``.

    Parameters
    ----------
    values : number[z, y, x]
        On ``grid``; never changed, may be read-only.
    device : torch.device or str
        Where the tensor shall live; the array is copied there once, as it is.

    Returns
    -------
    (float32[c, …], Grid)
        Spatial axes in the order of ``space.orientation``; the grid of those axes. Shape and
        spacing as :func:`network_grid` says.

    Raises
    ------
    GridMismatch
        ``values`` does not have the grid's shape.

    Notes
    -----
    Axes, then trilinear resampling in one pass (widened to the new voxels along axes that shrink
    to half or less), then intensities: statistics are those of the resampled image, as in MONAI.
    """
    import torch

    if values.shape != grid.shape:
        raise GridMismatch(f"An array of shape {values.shape} cannot lie on a grid {grid.shape}.")
    order, flip = axis_order(grid, space.orientation)
    target = network_grid(grid, space)
    array = np.require(values, requirements=["C", "W", "A"])
    tensor = torch.from_numpy(array).to(device).to(torch.float32).permute(order)
    flipped = [axis for axis in range(3) if flip[axis]]
    if flipped:
        tensor = tensor.flip(flipped)
    tensor = resize(tensor, target.shape)
    made = torch.empty((len(space.channels), *target.shape), device=tensor.device)
    for index, channel in enumerate(space.channels):
        made[index].copy_(tensor)
        channel.apply_(made[index])
    return made, target


def labels_to_source(
    labels: torch.Tensor | npt.NDArray[Any],
    network_grid: Grid,
    source_grid: Grid,
    *,
    smooth: bool = False,
) -> npt.NDArray[Any]:
    """Labels of the network's grid on the image's own grid.

    Parameters
    ----------
    labels : uint8 or uint16 […]
        On ``network_grid``; a tensor is worked on where it lives.
    smooth : bool
        False takes the nearest voxel. True interpolates each label linearly and lets the largest
        win: smooth borders, at two float volumes of the image's size whatever the number of labels.

    Returns
    -------
    uint8 or uint16[z, y, x]
        On ``source_grid``; same dtype. Voxels whose centre lies outside the network's box get 0.

    Raises
    ------
    GridMismatch
        The grids' axes are not parallel, their frames of reference differ, or ``labels`` does not
        lie on ``network_grid``.
    """
    import torch

    tensor = (
        torch.from_numpy(np.require(labels, requirements=["C", "W", "A"]))
        if isinstance(labels, np.ndarray)
        else labels
    )
    order, samples = _samples(tuple(tensor.shape), network_grid, source_grid)
    kind = np.dtype(str(tensor.dtype).removeprefix("torch."))
    if kind == np.uint16:  # few operations know it
        tensor = tensor.to(torch.int32)
    tensor = tensor.permute(order)
    found = _vote(tensor, samples) if smooth else nearest(tensor, samples)
    return np.asarray(found.cpu().numpy().astype(kind, copy=False))


def values_to_source(
    values: torch.Tensor, network_grid: Grid, source_grid: Grid
) -> npt.NDArray[np.float32]:
    """A probability or other map on the image's own grid, trilinear.

    Parameters
    ----------
    values : float[…]
        On ``network_grid``.

    Returns
    -------
    float32[z, y, x]
        On ``source_grid``; 0 outside the network's box.

    Raises
    ------
    GridMismatch
        As :func:`labels_to_source`.
    """
    import torch

    order, samples = _samples(tuple(values.shape), network_grid, source_grid)
    found = lerp(values.to(torch.float32).permute(order), samples)
    return np.asarray(found.cpu().numpy())


def _samples(
    shape: tuple[int, ...], network: Grid, source: Grid
) -> tuple[tuple[int, int, int], tuple[AxisSamples, AxisSamples, AxisSamples]]:
    """The network's axes in the source's order, and where the source's planes cut each of them."""
    if shape != network.shape:
        raise GridMismatch(f"An array of shape {shape} does not lie on a grid {network.shape}.")
    if network.frame_of_reference_uid != source.frame_of_reference_uid:
        raise GridMismatch("Labels cannot move between frames of reference.")
    cosines = np.array(source.axes) @ np.array(network.axes).T
    order = [int(n) for n in np.abs(cosines).argmax(axis=1)]
    if sorted(order) != [0, 1, 2] or np.abs(cosines).max(axis=1).min() < 1 - _PARALLEL:
        raise GridMismatch(
            "The network's grid must have the image's own axes, in any order and direction; got "
            f"{network.axes} for {source.axes}."
        )
    found = []
    for axis in range(3):
        corner = np.zeros((source.shape[axis], 3))
        corner[:, axis] = np.arange(source.shape[axis])
        places = network.to_index(source.to_patient(corner))[:, order[axis]]
        direction = np.array(network.axes[order[axis]])
        rising = bool(direction[np.abs(direction).argmax()] > 0)
        found.append(AxisSamples.at(places, network.shape[order[axis]], rising))
    return (order[0], order[1], order[2]), (found[0], found[1], found[2])


def _vote(labels: torch.Tensor, samples: tuple[AxisSamples, AxisSamples, AxisSamples]) -> Any:
    """Of the labels' linear interpolations the largest wins, background among them."""
    import torch

    shape = [len(s.inside) for s in samples]
    winner = torch.zeros(shape, dtype=labels.dtype, device=labels.device)
    best = torch.zeros(shape, device=labels.device)
    total = torch.zeros(shape, device=labels.device)
    for value in torch.unique(labels).tolist():
        if value == 0:
            continue
        mask = labels == value
        ranges = [s.reached(*_extent(mask, axis)) for axis, s in enumerate(samples)]
        box = tuple(slice(low, high) for low, high in ranges)
        cut = [s.cut(*r) for s, r in zip(samples, ranges, strict=True)]
        score = lerp(mask.to(torch.float32), (cut[0], cut[1], cut[2]))
        total[box] += score
        better = score > best[box]
        winner[box] = torch.where(better, value, winner[box])
        best[box] = torch.maximum(score, best[box])
    return torch.where(best >= 1 - total, winner, 0)


def _extent(mask: torch.Tensor, axis: int) -> tuple[int, int]:
    """First and last index along ``axis`` that ``mask`` selects; it selects something."""
    others = [a for a in range(3) if a != axis]
    where = mask.amax(dim=others).nonzero()
    return int(where[0]), int(where[-1])
