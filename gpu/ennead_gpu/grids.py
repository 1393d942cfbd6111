"""To the grid a network wants, and its labels back to the image's own grid.

A network asks for its own axes (``RAS``), its own spacing and its own intensities. Both ways are
worked out from positions in the patient, never from array order, so a structure in one corner
returns to that corner on flipped, oblique and anisotropic images alike. Oblique images keep their
own axes: the nearest permutation and flips are taken, nothing is rotated.

PyTorch is imported when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ennead.errors import GridMismatch
from ennead.geometry import Grid
from ennead_gpu.channels import Channel
from ennead_gpu.sampling import AxisSamples, Samples, lerp, nearest, resize
from ennead_gpu.space import NetworkSpace, axis_order, network_grid

if TYPE_CHECKING:
    import torch

__all__ = [
    "Channel",
    "NetworkSpace",
    "axis_order",
    "labels_to_source",
    "network_grid",
    "to_network",
    "values_to_source",
]

#: Axes of two grids are parallel when their cosine differs from ±1 by less.
_PARALLEL: Final = 1e-4
#: Scores this near to the background's are equal to it, and the label wins.
_TIE: Final = 1e-4


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
) -> tuple[tuple[int, int, int], Samples]:
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


def _vote(labels: torch.Tensor, samples: Samples) -> Any:
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
    return torch.where(best + _TIE >= 1 - total, winner, 0)


def _extent(mask: torch.Tensor, axis: int) -> tuple[int, int]:
    """First and last index along ``axis`` that ``mask`` selects; it selects something."""
    others = [a for a in range(3) if a != axis]
    where = mask.amax(dim=others).nonzero()
    return int(where[0]), int(where[-1])
